"""An S3 server (moto) on a free port of loopback, with a bucket, driven by one JSON object a line; ends with its input."""

import json
import os
import sys

# Nothing of the developer's own: no account, no configuration file, no metadata service.
for name in list(os.environ):
    if name.startswith("AWS_"):
        del os.environ[name]
os.environ.update(AWS_EC2_METADATA_DISABLED="true", AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull)

import logging

import boto3
from moto import settings
from moto.core.responses import ActionAuthenticatorMixin
from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel(logging.ERROR)


def client(service, endpoint):
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="unchecked",
        aws_secret_access_key="unchecked",
    )


def change(s3, bucket, key, edit):
    """Changes the bytes of an object and leaves its metadata alone, as a failing disk would."""
    found = s3.get_object(Bucket=bucket, Key=key)
    body = bytearray(found["Body"].read())
    s3.put_object(Bucket=bucket, Key=key, Body=bytes(edit(body)), Metadata=found["Metadata"])


def flip(body, offset):
    body[offset] ^= 1
    return body


def main():
    bucket = sys.argv[1]
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    s3, iam = client("s3", endpoint), client("iam", endpoint)
    s3.create_bucket(Bucket=bucket)

    def check_keys(_):
        """From now on only the key that is given back is let in."""
        iam.create_user(UserName="wordhoard")
        everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        iam.put_user_policy(UserName="wordhoard", PolicyName="all", PolicyDocument=json.dumps(everything))
        key = iam.create_access_key(UserName="wordhoard")["AccessKey"]
        ActionAuthenticatorMixin.request_count = 0
        settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
        return {"id": key["AccessKeyId"], "secret": key["SecretAccessKey"]}

    commands = {
        "keys": lambda _: [found["Key"] for found in s3.list_objects_v2(Bucket=bucket).get("Contents", [])],
        "uploads": lambda _: len(s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])),
        "flip": lambda ask: change(s3, bucket, ask["key"], lambda body: flip(body, ask["offset"])),
        "truncate": lambda ask: change(s3, bucket, ask["key"], lambda body: body[: ask["size"]]),
        "put": lambda ask: s3.put_object(Bucket=bucket, Key=ask["key"], Body=ask["text"].encode()) and None,
        "delete": lambda ask: s3.delete_object(Bucket=bucket, Key=ask["key"]) and None,
        "metadata": lambda ask: s3.head_object(Bucket=bucket, Key=ask["key"])["Metadata"],
        "check-keys": check_keys,
    }
    print(json.dumps(endpoint), flush=True)
    for line in sys.stdin:
        ask = json.loads(line)
        try:
            answer = {"done": commands[ask["do"]](ask)}
        except Exception as error:  # the test is told, and fails
            answer = {"failed": repr(error)}
        print(json.dumps(answer), flush=True)
    server.stop()


main()
