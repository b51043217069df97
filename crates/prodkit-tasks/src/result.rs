/// Any error a task or a hook may end with.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a task or a hook may end with: `()`, or a `Result<(), E>` where `E` converts into a [`BoxError`] (a
/// `std::io::Error`, an `anyhow::Error`, a `&str`, …). A task that never returns is one as well.
///
/// Sealed: a service has no other way to end well or badly.
///
/// ```compile_fail
/// # use prodkit_tasks::TaskGroup;
/// let group = TaskGroup::new().task("count", async |_| 42);
/// ```
#[diagnostic::on_unimplemented(
    message = "a task or hook must end with `()` or `Result<(), E>`, not with `{Self}`",
    label = "its future ends with `{Self}`",
    note = "`E` is any error: `std::io::Error`, `anyhow::Error`, `Box<dyn Error + Send + Sync>`, `&str`",
    note = "to drop the value of the last expression, end it with `;` or `.map(drop)`"
)]
pub trait TaskResult: sealed::Sealed {
    #[doc(hidden)]
    fn into_result(self) -> Result<(), BoxError>;
}

impl TaskResult for () {
    fn into_result(self) -> Result<(), BoxError> {
        Ok(())
    }
}

impl<E: Into<BoxError>> TaskResult for Result<(), E> {
    fn into_result(self) -> Result<(), BoxError> {
        self.map_err(Into::into)
    }
}

#[diagnostic::do_not_recommend]
impl TaskResult for Never {
    fn into_result(self) -> Result<(), BoxError> {
        self
    }
}

/// `!`, which cannot be named on stable Rust: the output of a `loop` without a `break`.
type Never = <fn() -> ! as sealed::Returns>::Output;

mod sealed {
    pub trait Sealed {}

    impl Sealed for () {}
    impl<E> Sealed for Result<(), E> {}
    impl Sealed for super::Never {}

    pub trait Returns {
        type Output;
    }

    impl<T> Returns for fn() -> T {
        type Output = T;
    }
}
