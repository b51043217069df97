//! The calls we make. Paths, verbs and bodies of what vaultrs knows are vaultrs's; what it lacks is ours.

use crate::transport::Question;
use rustify::endpoint::Endpoint;
use rustify::enums::{RequestMethod, RequestType, ResponseType};
use rustify::errors::ClientError;
use serde_json::json;
use vaultrs::api::auth::approle::requests::LoginWithApproleRequest;
use vaultrs::api::auth::kubernetes::requests::LoginWithKubernetesRequest;
use vaultrs::api::auth::oidc::requests::JWTLoginRequest;
use vaultrs::api::token::requests::{LookupTokenSelfRequest, RenewTokenSelfRequest, RevokeTokenSelfRequest};

use crate::failure::Failure;
use crate::path::Path;

pub(crate) fn app_role(mount: &str, role_id: &str, secret_id: &str) -> Result<Question, Failure> {
    question(&LoginWithApproleRequest {
        mount: mount.into(),
        role_id: role_id.into(),
        secret_id: secret_id.into(),
    })
}

pub(crate) fn kubernetes(mount: &str, role: &str, jwt: &str) -> Result<Question, Failure> {
    question(&LoginWithKubernetesRequest { mount: mount.into(), role: role.into(), jwt: jwt.into() })
}

pub(crate) fn jwt(mount: &str, role: &str, jwt: &str) -> Result<Question, Failure> {
    question(&JWTLoginRequest { mount: mount.into(), role: Some(role.into()), jwt: jwt.into() })
}

pub(crate) fn look_up() -> Result<Question, Failure> {
    question(&LookupTokenSelfRequest {})
}

pub(crate) fn renew_token() -> Result<Question, Failure> {
    question(&RenewTokenSelfRequest { increment: None })
}

pub(crate) fn revoke_token() -> Result<Question, Failure> {
    question(&RevokeTokenSelfRequest {})
}

pub(crate) fn read(path: &Path) -> Result<Question, Failure> {
    question(&ReadPath(path))
}

pub(crate) fn renew_lease(id: &str) -> Result<Question, Failure> {
    question(&Lease { verb: "renew", id })
}

pub(crate) fn revoke_lease(id: &str) -> Result<Question, Failure> {
    question(&Lease { verb: "revoke", id })
}

fn question<E: Endpoint>(endpoint: &E) -> Result<Question, Failure> {
    // its errors could quote the body
    let unmade = |_| Failure::refused("the request cannot be written");
    Ok(Question {
        method: endpoint.method().into(),
        path: endpoint.path(),
        query: endpoint.query().map_err(unmade)?,
        body: endpoint.body().map_err(unmade)?.unwrap_or_default(),
    })
}

/// Any path: vaultrs has a request for each engine it knows, and drops the lease of what it reads.
struct ReadPath<'a>(&'a Path);

impl Endpoint for ReadPath<'_> {
    type Response = serde_json::Value;
    const REQUEST_BODY_TYPE: RequestType = RequestType::JSON;
    const RESPONSE_BODY_TYPE: ResponseType = ResponseType::JSON;

    fn path(&self) -> String {
        self.0.as_str().to_owned()
    }

    fn method(&self) -> RequestMethod {
        RequestMethod::GET
    }

    fn query(&self) -> Result<Option<String>, ClientError> {
        Ok(self.0.version().map(|version| format!("version={version}")))
    }
}

/// `sys/leases/renew` and `sys/leases/revoke`: <https://developer.hashicorp.com/vault/api-docs/system/leases>.
struct Lease<'a> {
    verb: &'static str,
    id: &'a str,
}

impl Endpoint for Lease<'_> {
    type Response = serde_json::Value;
    const REQUEST_BODY_TYPE: RequestType = RequestType::JSON;
    const RESPONSE_BODY_TYPE: ResponseType = ResponseType::JSON;

    fn path(&self) -> String {
        format!("sys/leases/{}", self.verb)
    }

    fn method(&self) -> RequestMethod {
        RequestMethod::PUT
    }

    fn body(&self) -> Result<Option<Vec<u8>>, ClientError> {
        Ok(Some(json!({ "lease_id": self.id }).to_string().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(question: Result<Question, Failure>) -> (String, String) {
        let Question { method, path, query, body } = question.unwrap();
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        let path = path.trim().trim_start_matches('/').to_owned();
        (format!("{method} {path}{query}"), String::from_utf8(body).unwrap())
    }

    #[test]
    fn calls_are_as_the_api_documents_them() {
        let path = Path::parse("secret/data/a?version=2").unwrap();
        for (question, line, body) in [
            (app_role("approle", "r", "s"), "POST auth/approle/login", r#"{"role_id":"r","secret_id":"s"}"#),
            (kubernetes("k", "r", "j"), "POST auth/k/login", r#"{"role":"r","jwt":"j"}"#),
            (jwt("jwt", "r", "j"), "POST auth/jwt/login", r#"{"jwt":"j","role":"r"}"#),
            (look_up(), "GET auth/token/lookup-self", ""),
            (renew_token(), "POST auth/token/renew-self", ""),
            (revoke_token(), "POST auth/token/revoke-self", ""),
            (read(&path), "GET secret/data/a?version=2", ""),
            (renew_lease("db/1"), "PUT sys/leases/renew", r#"{"lease_id":"db/1"}"#),
            (revoke_lease("db/1"), "PUT sys/leases/revoke", r#"{"lease_id":"db/1"}"#),
        ] {
            assert_eq!(shown(question), (line.to_owned(), body.to_owned()));
        }
        assert_eq!(read(&path).unwrap().method, http::Method::GET);
    }
}
