-- Amounts are whole cents. An order is 'pending' from the moment it is in the books until it is paid.
CREATE TABLE orders (
    id           TEXT    NOT NULL PRIMARY KEY,
    user_id      TEXT    NOT NULL,
    items        TEXT    NOT NULL,
    amount_cents INTEGER NOT NULL,
    status       TEXT    NOT NULL CHECK (status IN ('pending', 'paid')),
    created_at   TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;

CREATE INDEX orders_pending ON orders (id) WHERE status = 'pending';

CREATE TABLE idempotency_keys (
    key      TEXT NOT NULL PRIMARY KEY,
    order_id TEXT NOT NULL REFERENCES orders (id)
) STRICT;
