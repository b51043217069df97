//! Tests against software nobody here wrote. What is not installed is a visible `ignored`; with
//! `PRODKIT_REQUIRE_SERVERS=1`, as the gate sets it, it is a failure.
//!
//! A test binary of such tests has `harness = false` and a `main` that gives its trials to [`run`].

use std::env;
use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use rustix::process::{Pid, Signal, kill_process};

/// What a test comes to: an error of any type is its failure.
pub type Outcome = Result<(), Box<dyn Error>>;

/// Runs the trials that the command line asks for, and says on a line of its own how many were not ignored and passed:
/// the gate adds these lines up, over all binaries, and knows how many there should be.
#[must_use]
#[expect(clippy::print_stdout, reason = "the gate reads it")]
pub fn run(trials: Vec<Trial>) -> ExitCode {
    let arguments = Arguments::from_args();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        println!("server tests passed: {}\n", conclusion.num_passed);
    }
    conclusion.exit_code()
}

/// A test that needs a program, to be found in `PATH` or where Debian keeps what an administrator runs.
pub fn with(program: &'static str, name: &str, test: fn(PathBuf) -> Outcome) -> Trial {
    trial(name, move || find(program).ok_or_else(|| format!("{program} not found")), test)
}

/// A test that needs a Python package.
pub fn with_python(package: &'static str, name: &str, test: fn(PathBuf) -> Outcome) -> Trial {
    let python = move || {
        let python = find("python3").ok_or("python3 not found")?;
        let import =
            Command::new(&python).args(["-c", &format!("import {package}")]).stderr(Stdio::null()).status();
        match import {
            Ok(status) if status.success() => Ok(python),
            _ => Err(format!("Python's {package} not found")),
        }
    };
    trial(name, python, test)
}

/// A test that needs what `tool` looks for; an error names what is missing.
pub fn trial<T: 'static>(
    name: &str,
    tool: impl FnOnce() -> Result<T, String> + Send + 'static,
    test: impl FnOnce(T) -> Outcome + Send + 'static,
) -> Trial {
    Trial::ignorable_test(name, move || match tool() {
        Ok(tool) => {
            test(tool).map(|()| Completion::Completed).map_err(|error| Failed::from(error.to_string()))
        }
        Err(missing) if env::var_os("PRODKIT_REQUIRE_SERVERS").is_some_and(|value| value == "1") => {
            Err(Failed::from(missing))
        }
        Err(missing) => Ok(Completion::ignored_with(missing)),
    })
}

/// Where a program is: in `PATH`, or where Debian keeps what an administrator runs.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// How long a foreign process may take to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// A foreign process. Dropped, it is told to end, so that it ends the processes it has started; then it is killed.
#[derive(Debug)]
pub struct Foreign(Child);

impl Foreign {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        command.spawn().map(Self)
    }

    /// What it prints, once, where its standard output is a pipe.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.0.stdout.take()
    }

    /// Sends a signal.
    ///
    /// # Errors
    ///
    /// When the process is gone.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill_process(Pid::from_child(&self.0), signal)?)
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // It may be gone already, and there is nobody to tell.
        let _ = self.signal(Signal::TERM);
        let until = Instant::now() + GRACE;
        while matches!(self.0.try_wait(), Ok(None)) && Instant::now() < until {
            thread::park_timeout(Duration::from_millis(5));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
