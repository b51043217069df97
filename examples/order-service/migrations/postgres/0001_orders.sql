-- Amounts are whole cents. An order is 'pending' from the moment it is in the books until it is paid.
CREATE TABLE orders (
    id           text        NOT NULL PRIMARY KEY,
    user_id      text        NOT NULL,
    items        text        NOT NULL,
    amount_cents bigint      NOT NULL,
    status       text        NOT NULL CHECK (status IN ('pending', 'paid')),
    created_at   timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX orders_pending ON orders (id) WHERE status = 'pending';

CREATE TABLE idempotency_keys (
    key      text NOT NULL PRIMARY KEY,
    order_id text NOT NULL REFERENCES orders (id)
);
