//! Named, supervised tasks: started in order, stopped in reverse
