use super::*;
use crate::Limits;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use tokio::time::Instant;

/// Fails with these errors, one at a time, and then accepts.
struct Script(RefCell<VecDeque<i32>>);

impl Source for Script {
    type Stream = ();

    fn poll_accept(&self, _: &mut Context<'_>) -> Poll<io::Result<((), Option<SocketAddr>)>> {
        let accepted = ((), None);
        Poll::Ready(match self.0.borrow_mut().pop_front() {
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None => Ok(accepted),
        })
    }
}

#[tokio::test(start_paused = true)]
async fn errors_of_a_connection_are_passed_over_and_our_own_are_waited_out() {
    const ECONNABORTED: i32 = 103;
    const EMFILE: i32 = 24;
    const ENFILE: i32 = 23;
    const ENOBUFS: i32 = 105;
    const ENOMEM: i32 = 12;
    const EINVAL: i32 = 22;
    let cases: &[(&[i32], u64)] = &[
        (&[], 0),
        (&[ECONNABORTED; 1000], 0),
        (&[EMFILE], 5),
        (&[ENFILE, ENOBUFS, ENOMEM], 5 + 10 + 20),
        // what nobody foresaw must not spin either
        (&[EINVAL], 5),
        (&[EMFILE; 10], 5 + 10 + 20 + 40 + 80 + 160 + 320 + 640 + 1000 + 1000),
        (&[EMFILE, ECONNABORTED, EMFILE], 5 + 10),
    ];
    for (errors, expected) in cases {
        let roster = Arc::new(Roster::new(Limits::default()));
        let mut accept = Accept::new(Script(RefCell::new(errors.iter().copied().collect())), roster);
        let start = Instant::now();
        poll_fn(|cx| accept.poll(cx)).await;
        assert_eq!(start.elapsed().as_millis(), u128::from(*expected), "{errors:?}");
        // success starts the pauses over
        accept.listener.0.borrow_mut().push_back(EMFILE);
        let start = Instant::now();
        poll_fn(|cx| accept.poll(cx)).await;
        assert_eq!(start.elapsed().as_millis(), 5);
    }
}
