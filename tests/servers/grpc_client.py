"""The client of grpcio-health-checking asks a service for its health: `grpc_client.py MAIN ADMIN`.

Prints one JSON line for what `Check` says on each port, then one for each change that `Watch` tells, and one for its end.
"""

import json
import sys
import threading

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

NAMES = ["", "readiness", "liveness", "startup", "greeters"]
lock = threading.Lock()


def say(**what):
    with lock:
        print(json.dumps(what), flush=True)


def code_of(error):
    return error.code().name


def check(stub, name):
    try:
        response = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=30)
        return health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)
    except grpc.RpcError as error:
        return code_of(error)


def watch(stub, port, name):
    try:
        for response in stub.Watch(health_pb2.HealthCheckRequest(service=name)):
            status = health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)
            say(port=port, watch=name, status=status)
        say(port=port, watch=name, end="OK")
    except grpc.RpcError as error:
        say(port=port, watch=name, end=code_of(error))


threads = []
for port, address in zip(["main", "admin"], sys.argv[1:]):
    stub = health_pb2_grpc.HealthStub(grpc.insecure_channel(address))
    say(port=port, check={name: check(stub, name) for name in NAMES + ["nobody"]})
    for name in ["", "liveness", "nobody"]:
        threads.append(threading.Thread(target=watch, args=(stub, port, name)))
        threads[-1].start()
for thread in threads:
    thread.join()
