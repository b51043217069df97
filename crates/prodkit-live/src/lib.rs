//! Live<T>: a value that changes under its readers, all or nothing
