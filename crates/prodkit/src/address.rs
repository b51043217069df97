//! An address of IP as text.

use std::fmt::{self, Write as _};
use std::net::IpAddr;

/// An address as text, without an allocation.
pub(crate) struct Address {
    text: [u8; 46],
    len: usize,
}

impl Address {
    pub(crate) fn of(ip: IpAddr) -> Self {
        let mut address = Self { text: [0; 46], len: 0 };
        // the longest address of IPv6 has 45 characters
        let _ = write!(address, "{ip}");
        address
    }

    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(&self.text[..self.len]).unwrap_or_default()
    }
}

impl fmt::Write for Address {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let end = self.len + part.len();
        self.text.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(part.as_bytes());
        self.len = end;
        Ok(())
    }
}
