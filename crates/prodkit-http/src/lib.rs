//! A hyper server for any tower service, and the one observability layer
