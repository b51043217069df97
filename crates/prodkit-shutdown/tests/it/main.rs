//! What only a whole process can show. Signals belong to the process, so one test has them all.
#![cfg(all(unix, not(loom)))]

use prodkit_shutdown::{Signal, Signals};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::raise;

#[test]
fn every_signal_is_received_also_the_second_one() {
    let outside = Signals::install().map(drop).unwrap_err();
    assert!(outside.to_string().contains("runtime"), "{outside}");

    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        let mut signals = Signals::install().unwrap();
        // Sent before anybody receives: an installed signal is kept, not lost and not fatal.
        raise(SIGTERM).unwrap();
        assert_eq!(signals.recv().await, Some(Signal::Terminate));
        for (number, signal) in [
            (SIGTERM, Signal::Terminate),
            (SIGINT, Signal::Interrupt),
            (SIGHUP, Signal::Hangup),
            (SIGINT, Signal::Interrupt),
        ] {
            raise(number).unwrap();
            assert_eq!(signals.recv().await, Some(signal));
        }
        // A receive that is given up takes nothing with it.
        tokio::select! {
            biased;
            _ = signals.recv() => panic!("nothing was sent"),
            () = std::future::ready(()) => {}
        }
        raise(SIGHUP).unwrap();
        assert_eq!(signals.recv().await, Some(Signal::Hangup));
    });
}
