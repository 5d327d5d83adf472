"""Signs requests by Signature Version 4, and lets a test get any part of it wrong."""

import datetime
import hashlib
import hmac
import urllib.parse

ALGORITHM = "AWS4-HMAC-SHA256"


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _quote(text):
    return urllib.parse.quote(text, safe="-_.~")


def signature(secret, date, region, service, text):
    key = _hmac(_hmac(_hmac(_hmac(("AWS4" + secret).encode(), date[:8]), region), service), "aws4_request")
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def amz_date(seconds_from_now=0):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds_from_now)).strftime("%Y%m%dT%H%M%SZ")


def _canonical(method, path, query, headers, signed, payload_hash):
    pairs = sorted((_quote(name), _quote(value)) for name, value in query)
    lines = [method, urllib.parse.quote(path, safe="/-_.~"), "&".join(f"{name}={value}" for name, value in pairs)]
    lines += [f"{name}:{' '.join(headers[name].split())}" for name in signed]
    return "\n".join([*lines, "", ";".join(signed), payload_hash])


def sign(method, path, headers, body, access_key, secret, *, region="us-east-1", service="sqs", at=0, date=None, scope_date=None,
         terminator="aws4_request", signed=None):
    """The headers with `X-Amz-Date` and `Authorization` added. `headers` has lower-case names, host among them."""
    date = date or amz_date(at)
    headers = {**headers, "x-amz-date": date}
    signed = sorted(signed if signed is not None else headers)
    scope = f"{scope_date or date[:8]}/{region}/{service}/{terminator}"
    canonical = _canonical(method, path, [], headers, signed, hashlib.sha256(body).hexdigest())
    text = "\n".join([ALGORITHM, date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    made = signature(secret, scope_date or date, region, service, text)
    headers["authorization"] = f"{ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={';'.join(signed)}, Signature={made}"
    return headers


def presign(method, host, path, fields, access_key, secret, *, region="us-east-1", at=0, expires=300):
    """The target (path and query) of a presigned request."""
    date = amz_date(at)
    scope = f"{date[:8]}/{region}/sqs/aws4_request"
    query = [*fields.items(), ("X-Amz-Algorithm", ALGORITHM), ("X-Amz-Credential", f"{access_key}/{scope}"), ("X-Amz-Date", date),
             ("X-Amz-Expires", str(expires)), ("X-Amz-SignedHeaders", "host")]
    canonical = _canonical(method, path, query, {"host": host}, ["host"], hashlib.sha256(b"").hexdigest())
    text = "\n".join([ALGORITHM, date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    query.append(("X-Amz-Signature", signature(secret, date, region, "sqs", text)))
    return path + "?" + "&".join(f"{_quote(name)}={_quote(value)}" for name, value in query)
