//! What a certificate says of itself (RFC 5280, section 4.1).

use der::asn1::{AnyRef, GeneralizedTime, ObjectIdentifier, UtcTime};
use der::{Decode as _, Reader, Result, SliceReader, Tag, Tagged as _};
use std::fmt::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

/// `id-at-commonName`.
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
/// `ub-common-name`, in characters.
const LONGEST_NAME: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// Hexadecimal.
    pub(crate) serial: String,
    /// The first common name.
    pub(crate) subject: Option<String>,
    pub(crate) not_before: SystemTime,
    pub(crate) not_after: SystemTime,
}

impl Certificate {
    pub(crate) fn read(der: &[u8]) -> Result<Self> {
        SliceReader::new(der)?.sequence(|certificate| {
            let read = certificate.sequence(to_be_signed)?;
            rest(certificate)?;
            Ok(read)
        })
    }
}

fn to_be_signed<'a>(fields: &mut SliceReader<'a>) -> Result<Certificate> {
    let first = AnyRef::decode(fields)?;
    // the version is optional, and tagged
    let serial = if first.tag().is_context_specific() { AnyRef::decode(fields)? } else { first };
    serial.tag().assert_eq(Tag::Integer)?;
    let _algorithm = fields.tlv_bytes()?;
    let _issuer = fields.tlv_bytes()?;
    let (not_before, not_after) =
        fields.sequence(|validity| Ok::<_, der::Error>((time(validity)?, time(validity)?)))?;
    let subject = fields.sequence(common_name)?;
    rest(fields)?;
    let serial = serial.value().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    Ok(Certificate { serial, subject, not_before, not_after })
}

fn time<'a>(reader: &mut SliceReader<'a>) -> Result<SystemTime> {
    let since_1970 = match Tag::peek(reader)? {
        Tag::UtcTime => UtcTime::decode(reader)?.to_unix_duration(),
        _ => GeneralizedTime::decode(reader)?.to_unix_duration(),
    };
    Ok(UNIX_EPOCH + since_1970)
}

fn common_name<'a>(name: &mut SliceReader<'a>) -> Result<Option<String>> {
    let mut found = None;
    while !name.is_finished() {
        let set = AnyRef::decode(name)?;
        let mut set = SliceReader::new(set.value())?;
        while !set.is_finished() {
            let (kind, value) = set.sequence(|attribute| {
                let read = (ObjectIdentifier::decode(attribute)?, AnyRef::decode(attribute)?);
                Ok::<_, der::Error>(read)
            })?;
            if kind == COMMON_NAME && found.is_none() {
                let text = String::from_utf8_lossy(value.value());
                found = Some(text.escape_debug().take(LONGEST_NAME).collect());
            }
        }
    }
    Ok(found)
}

fn rest<'a>(reader: &mut SliceReader<'a>) -> Result<()> {
    reader.drain(reader.remaining_len())
}

/// As people know it: `orders, serial 02`.
impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(subject) = &self.subject {
            write!(f, "{subject}, ")?;
        }
        write!(f, "serial {}", self.serial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject as _;
    use std::time::Duration;

    fn issued(names: &[&str], valid: std::ops::Range<SystemTime>) -> CertificateDer<'static> {
        let pair = prodkit_fakes::FakeAuthority::new().issue_for(names, valid);
        CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap()
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn what_it_says_is_read() {
        // beyond 2049 the time is written in another form
        for end in [1_900_000_000, 4_000_000_000] {
            let read = Certificate::read(&issued(&["orders"], at(1_000_000_000)..at(end))).unwrap();
            assert_eq!((read.not_before, read.not_after), (at(1_000_000_000), at(end)));
            assert_eq!(read.to_string(), "orders, serial 01");
        }
    }

    #[test]
    fn whatever_is_cut_or_bent_is_no_panic() {
        let whole = issued(&["a", "b"], at(1_000)..at(2_000));
        for length in 0..whole.len() {
            let _ = Certificate::read(&whole[..length]);
        }
        let mut bent = whole.to_vec();
        for index in 0..whole.len() {
            for bit in 0..8 {
                bent[index] ^= 1 << bit;
                let _ = Certificate::read(&bent);
                bent[index] ^= 1 << bit;
            }
        }
        assert!(Certificate::read(&whole[..whole.len() - 1]).is_err());
    }
}
