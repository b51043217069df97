//! `auth/…/login`.

use super::grants::Terms;
use super::reply::{Call, Reply};

#[derive(Debug)]
pub(super) enum Login {
    AppRole { role_id: String, secret_id: String, terms: Terms },
    Kubernetes { role: String, jwt: String, terms: Terms },
    Jwt { role: String, jwt: String, terms: Terms },
}

impl Login {
    /// The terms of the token, for who brings what is asked for.
    pub(super) fn admits(&self, call: &Call) -> Option<(Terms, &'static str)> {
        let (admitted, terms, kind) = match self {
            Self::AppRole { role_id, secret_id, terms } => {
                (call.text("role_id") == role_id && call.text("secret_id") == secret_id, terms, "approle")
            }
            Self::Kubernetes { role, jwt, terms } => {
                (call.text("role") == role && call.text("jwt") == jwt, terms, "kubernetes")
            }
            Self::Jwt { role, jwt, terms } => {
                (call.text("role") == role && call.text("jwt") == jwt, terms, "jwt")
            }
        };
        (call.is_write() && admitted).then_some((*terms, kind))
    }

    /// What each method says to everybody else.
    pub(super) fn refusal(&self, call: &Call) -> Reply {
        match self {
            Self::AppRole { .. } => Reply::errors(400, &["invalid role or secret ID"]),
            Self::Kubernetes { role, .. } if call.text("role") == role => Reply::denied(),
            Self::Kubernetes { .. } => {
                Reply::errors(400, &[&format!("invalid role name \"{}\"", call.text("role"))])
            }
            Self::Jwt { role, .. } if call.text("role") == role => {
                Reply::errors(400, &["error validating token: error verifying token signature"])
            }
            Self::Jwt { .. } => {
                Reply::errors(400, &[&format!("role \"{}\" could not be found", call.text("role"))])
            }
        }
    }
}
