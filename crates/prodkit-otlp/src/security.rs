//! What connections over TLS are made with.

#[cfg(not(feature = "__tls"))]
pub(crate) use absent::Security;
#[cfg(feature = "__tls")]
pub use present::Credentials;
#[cfg(feature = "__tls")]
pub(crate) use present::{Security, check, secure};

#[cfg(not(feature = "__tls"))]
mod absent {
    /// There are no such connections in this build.
    #[derive(Clone, Debug)]
    pub(crate) enum Security {}
}

#[cfg(feature = "__tls")]
mod present {
    use crate::endpoint::{Destination, Target};
    use crate::error::Kind as ErrorKind;
    use crate::{Error, Protocol, Settings, Tls};
    use prodkit_tls::{ClientConfig, Identity, Live, Roots, client_config};
    use std::fs::File;
    use std::io::Read as _;
    use std::path::Path;
    use std::sync::Arc;
    use std::time::SystemTime;

    /// More than any bundle of roots, in bytes.
    const LARGEST: u64 = 4 << 20;

    /// What connections over TLS are made with. Both may move: a new connection is made for the next export then, and what
    /// is under way ends on the old one.
    #[derive(Clone, Debug, Default)]
    #[non_exhaustive]
    pub struct Credentials {
        /// Whose certificates are believed. Default: `None`, those of the system at the start.
        pub roots: Option<Live<Roots>>,
        /// What is shown to a collector that asks for a certificate. Default: nothing.
        pub identity: Option<Live<Identity>>,
    }

    impl Credentials {
        /// What the files hold now. Reads them on the spot, and does not follow them: for that, make the two
        /// [`Live`]s yourself.
        ///
        /// # Errors
        ///
        /// When a file cannot be read or does not hold what it should, and when the certificate is not valid now.
        pub fn read(files: &Tls) -> Result<Self, Error> {
            pair(files)?;
            let roots = match &files.ca {
                None => None,
                Some(path) => {
                    let roots = Roots::from_pem(&bytes(path)?).map_err(|error| of(path, error))?;
                    Some(Live::fixed(roots))
                }
            };
            let identity = match (&files.cert, &files.key) {
                (Some(cert), Some(key)) => {
                    let identity = Identity::from_pem(&bytes(cert)?, &bytes(key)?, SystemTime::now());
                    Some(Live::fixed(identity.map_err(|error| of(cert, error))?))
                }
                _ => None,
            };
            Ok(Self { roots, identity })
        }
    }

    /// The configuration of the next connection.
    #[derive(Clone, Debug)]
    pub(crate) struct Security(Live<ClientConfig>);

    impl Security {
        fn new(credentials: Credentials, protocol: Protocol) -> Result<Self, ErrorKind> {
            // one protocol is what will be spoken
            let alpn: &[&[u8]] = if protocol == Protocol::Grpc { &[b"h2"] } else { &[b"http/1.1"] };
            let Credentials { roots, identity } = credentials;
            let roots = match roots {
                Some(roots) => roots,
                None => Live::fixed(Roots::system().map_err(unnamed)?),
            };
            client_config(&roots, identity.as_ref(), alpn).map(Self).map_err(unnamed)
        }

        pub(crate) fn load(&self) -> Arc<ClientConfig> {
            self.0.load()
        }
    }

    /// What can be said of the files without looking at them.
    pub(crate) fn check(settings: &Settings, targets: &[Option<Destination>; 3]) -> Result<(), ErrorKind> {
        let signals = [&settings.traces, &settings.metrics, &settings.logs];
        for (target, signal) in targets.iter().zip(signals) {
            if matches!(target, Some(Destination::Collector(target)) if is_secure(target)) {
                pair(&settings.tls_of(signal))?;
            }
        }
        Ok(())
    }

    /// Gives each target that is spoken to over TLS what it needs for that.
    pub(crate) fn secure<E: From<Error>>(
        settings: &Settings,
        targets: &mut [Option<Destination>; 3],
        mut credentials: impl FnMut(&Tls) -> Result<Credentials, E>,
    ) -> Result<(), E> {
        let signals = [&settings.traces, &settings.metrics, &settings.logs];
        for (target, signal) in targets.iter_mut().zip(signals) {
            if let Some(Destination::Collector(target)) = target
                && is_secure(target)
            {
                let credentials = credentials(&settings.tls_of(signal))?;
                target.security = Some(Security::new(credentials, target.protocol).map_err(Error::from)?);
            }
        }
        Ok(())
    }

    fn is_secure(target: &Target) -> bool {
        target.uri.scheme() == Some(&http::uri::Scheme::HTTPS)
    }

    fn pair(files: &Tls) -> Result<(), ErrorKind> {
        let alone = |path: &Path, other| ErrorKind::Tls {
            what: format!("{} needs the {other} beside it", path.display()),
            source: None,
        };
        match (&files.cert, &files.key) {
            (Some(cert), None) => Err(alone(cert, "key")),
            (None, Some(key)) => Err(alone(key, "certificate")),
            _ => Ok(()),
        }
    }

    /// What a regular file of a sensible size holds.
    fn bytes(path: &Path) -> Result<Vec<u8>, ErrorKind> {
        let failed = |what: String| ErrorKind::Tls { what, source: None };
        let read = || {
            let mut bytes = Vec::new();
            let file = File::open(path)?;
            if !file.metadata()?.is_file() {
                return Err(std::io::Error::other("it is not a file"));
            }
            file.take(LARGEST).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(|error| failed(format!("{}: {error}", path.display())))
    }

    fn of(path: &Path, source: prodkit_tls::Error) -> ErrorKind {
        ErrorKind::Tls { what: path.display().to_string(), source: Some(source) }
    }

    fn unnamed(source: prodkit_tls::Error) -> ErrorKind {
        ErrorKind::Tls { what: "no certificate authorities".to_owned(), source: Some(source) }
    }
}
