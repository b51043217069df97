//! Ordered shutdown: who asked, who must stop, what is still in flight, and the budget
