"""A client of e2e.v1.Calls (tests/src/calls.rs) by grpcio: each thing that is done is a line of JSON, with what came of it.

python3 grpc_calls.py HOST:PORT
"""

import json
import sys

import grpc

PATIENCE = 30


def say(what, result):
    print(json.dumps({"did": what, "result": result}), flush=True)


def outcome(call):
    """What a call comes to, as text."""
    try:
        return call()
    except grpc.RpcError as error:
        return f"{error.code().name}: {error.details()}"


def main(target):
    channel = grpc.insecure_channel(target)

    def method(kind, name):
        make = getattr(channel, kind)
        return make(f"/e2e.v1.Calls/{name}", request_serializer=str.encode, response_deserializer=bytes.decode)

    unary = method("unary_unary", "Unary")
    down = method("unary_stream", "Down")
    up = method("stream_unary", "Up")
    both = method("stream_stream", "Both")

    say("unary", outcome(lambda: unary("hello", timeout=PATIENCE)))
    say("down", outcome(lambda: list(down("3", timeout=PATIENCE))))
    say("up", outcome(lambda: up(iter(["a", "b"]), timeout=PATIENCE)))
    say("both", outcome(lambda: list(both(iter(["a", "b"]), timeout=PATIENCE))))
    for code in range(1, 17):
        say(f"fail {code}", outcome(lambda: unary(f"fail {code}", timeout=PATIENCE)))
    missing = method("unary_unary", "Missing")
    say("missing", outcome(lambda: missing("", timeout=PATIENCE)))
    say("deadline", outcome(lambda: unary("hang", timeout=0.2)))

    cancelled = down("hold", timeout=PATIENCE)
    say("held", next(cancelled))
    cancelled.cancel()
    say("cancelled", cancelled.code().name)

    open_call = down("hold", timeout=PATIENCE)
    say("open", next(open_call))
    say("cut", outcome(lambda: next(open_call)))


main(sys.argv[1])
