//! Numbers for ids: fast, never repeated in practice, not secret.

use std::cell::Cell;
use std::hash::{BuildHasher as _, RandomState};

thread_local! {
    // No destructor, so ids can still be made while the thread's other locals are being torn down.
    static STATE: Cell<[u64; 4]> = Cell::new(seed());
}

/// The next 64 uniformly distributed bits of this thread.
///
/// xoshiro256++ (Blackman and Vigna). The state is wide on purpose: with one 64-bit word of state, a fleet of a few
/// thousand threads would soon walk into each other's sequence and repeat whole runs of ids.
pub(crate) fn next_u64() -> u64 {
    STATE.with(|state| {
        let [a, mut b, mut c, mut d] = state.get();
        let out = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let shifted = b << 17;
        c ^= a;
        d ^= b;
        b ^= c;
        let a = a ^ d;
        c ^= shifted;
        d = d.rotate_left(45);
        state.set([a, b, c, d]);
        out
    })
}

/// A state of its own for each thread: std keys its hasher with 128 bits of the operating system's, anew per thread.
fn seed() -> [u64; 4] {
    let keys = RandomState::new();
    let state = [0_u64, 1, 2, 3].map(|word| keys.hash_one(word));
    // the one state the generator cannot leave
    if state == [0; 4] { [1; 4] } else { state }
}
