"""Python's hvac asks a Vault: `vault_client.py URL WHAT [ARGUMENT]`. Prints the name of each row that was as hvac expects it."""

import sys

import hvac
from hvac import exceptions

ROOT = "hvs.root"
url, what, *arguments = sys.argv[1:]
client = hvac.Client(url=url, token=ROOT)


def row(function):
    function()
    print(function.__name__, flush=True)


def refused(kind, call, *args, **named):
    try:
        call(*args, **named)
    except kind as error:
        return error
    raise AssertionError(f"{call} was not refused")


def as_token(token, **named):
    return hvac.Client(url=url, token=token, **named)


def kv_1():
    kv = client.secrets.kv.v1
    kv.create_or_update_secret("app/db", secret={"password": "one"}, mount_point="kv")
    kv.create_or_update_secret("app/db", secret={"password": "two"}, mount_point="kv")
    read = kv.read_secret("app/db", mount_point="kv")
    assert read["data"] == {"password": "two"} and read["lease_id"] == "" and not read["renewable"], read
    assert kv.list_secrets("app", mount_point="kv")["data"]["keys"] == ["db"]
    kv.delete_secret("app/db", mount_point="kv")
    refused(exceptions.InvalidPath, kv.read_secret, "app/db", mount_point="kv")


def kv_2_versions():
    kv = client.secrets.kv.v2
    for number in (1, 2, 3):
        made = kv.create_or_update_secret("app", secret={"n": number})
        assert made["data"]["version"] == number and not made["data"]["destroyed"], made
    for asked, number in ((None, 3), (1, 1), (2, 2)):
        read = kv.read_secret_version("app", version=asked, raise_on_deleted_version=True)
        assert read["data"]["data"] == {"n": number} and read["data"]["metadata"]["version"] == number, read
    refused(exceptions.InvalidPath, kv.read_secret_version, "app", version=9, raise_on_deleted_version=True)
    assert kv.list_secrets("")["data"]["keys"] == ["app"]
    kv.read_configuration()


def kv_2_check_and_set():
    kv = client.secrets.kv.v2
    kv.create_or_update_secret("cas", secret={"a": "1"}, cas=0)
    refused(exceptions.InvalidRequest, kv.create_or_update_secret, "cas", secret={"a": "2"}, cas=0)
    kv.create_or_update_secret("cas", secret={"a": "2"}, cas=1)


def kv_2_metadata():
    metadata = client.secrets.kv.v2.read_secret_metadata("app")["data"]
    assert (metadata["current_version"], metadata["oldest_version"]) == (3, 1), metadata
    assert sorted(metadata["versions"]) == ["1", "2", "3"], metadata
    assert metadata["versions"]["1"]["deletion_time"] == "" and metadata["versions"]["1"]["created_time"], metadata


def kv_2_deleted_and_undeleted():
    kv = client.secrets.kv.v2
    kv.delete_latest_version_of_secret("app")
    refused(exceptions.InvalidPath, kv.read_secret_version, "app", raise_on_deleted_version=True)
    gone = kv.read_secret_version("app", raise_on_deleted_version=False)
    assert gone["data"]["data"] is None and gone["data"]["metadata"]["deletion_time"], gone
    kv.undelete_secret_versions("app", versions=[3])
    assert kv.read_secret_version("app", raise_on_deleted_version=True)["data"]["data"] == {"n": 3}
    kv.delete_secret_versions("app", versions=[1])
    refused(exceptions.InvalidPath, kv.read_secret_version, "app", version=1, raise_on_deleted_version=True)


def kv_2_destroyed():
    kv = client.secrets.kv.v2
    kv.destroy_secret_versions("app", versions=[2])
    error = refused(exceptions.InvalidPath, kv.read_secret_version, "app", version=2, raise_on_deleted_version=False)
    assert error.json["data"]["data"] is None and error.json["data"]["metadata"]["destroyed"], error.json
    kv.delete_metadata_and_all_versions("app")
    refused(exceptions.InvalidPath, kv.read_secret_metadata, "app")


def mounts():
    engines = client.sys.list_mounted_secrets_engines()["data"]
    versions = {name: engine["options"]["version"] for name, engine in engines.items()}
    assert versions["kv/"] == "1" and versions["secret/"] == "2", engines


def token_looked_up_renewed_and_revoked():
    made = client.auth.token.create(ttl="1h")["auth"]
    other = as_token(made["client_token"])
    seen = other.auth.token.lookup_self()["data"]
    assert 3590 <= seen["ttl"] <= 3600 and seen["renewable"] and seen["expire_time"], seen
    assert client.auth.token.lookup(made["client_token"])["data"]["accessor"] == made["accessor"]
    renewed = other.auth.token.renew_self(increment="30m")["auth"]
    assert 1790 <= renewed["lease_duration"] <= 1800, renewed
    assert client.auth.token.renew(made["client_token"])["auth"]["renewable"]
    assert other.is_authenticated()
    other.auth.token.revoke_self()
    assert not other.is_authenticated()
    refused(exceptions.Forbidden, other.auth.token.lookup_self)


def token_not_renewable_and_revoked_by_another():
    made = client.auth.token.create(ttl="1h", renewable=False)["auth"]
    assert not made["renewable"], made
    other = as_token(made["client_token"])
    refused(exceptions.InvalidRequest, other.auth.token.renew_self)
    client.auth.token.revoke(made["client_token"])
    refused(exceptions.Forbidden, other.auth.token.lookup_self)


def token_of_root():
    seen = client.auth.token.lookup_self()["data"]
    assert seen["ttl"] == 0 and seen["expire_time"] is None and seen["policies"] == ["root"], seen
    refused(exceptions.InvalidRequest, client.auth.token.renew_self)


def logged_in(answer):
    auth = answer["auth"]
    assert auth["client_token"] and auth["lease_duration"] > 0 and auth["renewable"], answer
    assert as_token(auth["client_token"]).is_authenticated()


def approle():
    method = hvac.Client(url=url).auth.approle
    logged_in(method.login(role_id="orders", secret_id="s3cret", use_token=False))
    refused(exceptions.InvalidRequest, method.login, role_id="orders", secret_id="wrong", use_token=False)


def kubernetes():
    method = hvac.Client(url=url).auth.kubernetes
    logged_in(method.login(role="orders", jwt="a.b.c", use_token=False))
    refused(exceptions.Forbidden, method.login, role="orders", jwt="wrong", use_token=False)
    refused(exceptions.InvalidRequest, method.login, role="nobody", jwt="a.b.c", use_token=False)


def jwt():
    method = hvac.Client(url=url).auth.jwt
    logged_in(method.jwt_login(role="orders", jwt="a.b.c", use_token=False))
    refused(exceptions.InvalidRequest, method.jwt_login, role="orders", jwt="wrong", use_token=False)


def leases():
    one, two = client.read("database/creds/app"), client.read("database/creds/app")
    assert one["data"]["username"] != two["data"]["username"] and one["lease_id"] != two["lease_id"], (one, two)
    assert 3590 <= one["lease_duration"] <= 3600 and one["renewable"], one
    seen = client.sys.read_lease(one["lease_id"])["data"]
    assert seen["id"] == one["lease_id"] and seen["expire_time"], seen
    renewed = client.sys.renew_lease(one["lease_id"], increment=600)
    assert renewed["lease_id"] == one["lease_id"] and 590 <= renewed["lease_duration"] <= 600, renewed
    client.sys.revoke_lease(one["lease_id"])
    refused(exceptions.InvalidRequest, client.sys.read_lease, one["lease_id"])
    refused(exceptions.InvalidRequest, client.sys.renew_lease, one["lease_id"])
    # what was leased with a token ends with it
    made = client.auth.token.create(ttl="1h")["auth"]
    taken = as_token(made["client_token"]).read("database/creds/app")["lease_id"]
    client.auth.token.revoke(made["client_token"])
    refused(exceptions.InvalidRequest, client.sys.read_lease, taken)


def static_roles():
    data = client.read("database/static-creds/app")["data"]
    assert data["username"] and 0 < data["ttl"] <= data["rotation_period"] and data["last_vault_rotation"], data


def namespaces():
    team = as_token(ROOT, namespace="team")
    team.secrets.kv.v2.create_or_update_secret("app", secret={"a": "team"})
    assert team.secrets.kv.v2.read_secret_version("app", raise_on_deleted_version=True)["data"]["data"] == {"a": "team"}
    refused(exceptions.InvalidPath, client.secrets.kv.v2.read_secret_version, "app", raise_on_deleted_version=True)


def not_there():
    assert client.read("secret/data/nothing") is None
    refused(exceptions.InvalidPath, client.secrets.kv.v2.read_secret_version, "no", raise_on_deleted_version=True)
    error = refused(exceptions.Forbidden, as_token("hvs.nobody").secrets.kv.v2.read_secret_version, "app",
                    raise_on_deleted_version=True)
    assert error.errors, error


def sealed():
    assert not client.sys.is_sealed() and client.sys.is_initialized()
    client.sys.seal()
    assert client.sys.is_sealed()
    error = refused(exceptions.VaultDown, client.secrets.kv.v2.read_secret_version, "app", raise_on_deleted_version=True)
    assert error.errors == ["Vault is sealed"], error.errors


def health():
    expected = int(arguments[0])
    answer = client.sys.read_health_status(method="GET")
    status = 200 if isinstance(answer, dict) else answer.status_code
    assert status == expected, (status, expected)
    body = answer if isinstance(answer, dict) else answer.json()
    assert body["initialized"] == (expected != 501) and body["sealed"] == (expected in (501, 503)), body
    head = client.sys.read_health_status()
    assert (200 if isinstance(head, dict) else head.status_code) == expected, head


def ended():
    token, lease = arguments
    refused(exceptions.Forbidden, as_token(token).auth.token.lookup_self)
    refused(exceptions.InvalidRequest, client.sys.read_lease, lease)


ROWS = {
    "rows": [
        kv_1, kv_2_versions, kv_2_check_and_set, kv_2_metadata, kv_2_deleted_and_undeleted, kv_2_destroyed, mounts,
        token_looked_up_renewed_and_revoked, token_not_renewable_and_revoked_by_another, token_of_root, approle,
        kubernetes, jwt, leases, static_roles, namespaces, not_there,
    ],
    "sealed": [sealed],
    "health": [health],
    "ended": [ended],
}
for one in ROWS[what]:
    row(one)
