"""A mail server that takes mail from whoever signs in over an encrypted connection, and keeps none.

STARTTLS at 1587, TLS from the first byte at 1465; the certificate of its own CA over HTTP at 8026.
"""

import functools
import http.server
import ssl
import subprocess

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import AuthResult, LoginPassword

KEY = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]


def make_certificates():
    subprocess.run([*KEY, "-x509", "-subj", "/CN=CA of a test", "-keyout", "ca.key", "-out", "public/ca.pem"], check=True)
    subprocess.run(
        [*KEY, "-x509", "-CA", "public/ca.pem", "-CAkey", "ca.key", "-subj", "/CN=localhost", "-keyout", "server.key",
         "-out", "server.pem", "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"],
        check=True,
    )


def sign_in(_server, _session, _envelope, _mechanism, given):
    right = isinstance(given, LoginPassword) and (given.login, given.password) == (b"sysndd", b"for-tests-only")
    return AuthResult(success=right, handled=False)


subprocess.run(["mkdir", "-p", "public"], check=True)
make_certificates()
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain("server.pem", "server.key")
login = {"authenticator": sign_in, "auth_required": True}
Controller(Sink(), hostname="0.0.0.0", port=1587, tls_context=context, require_starttls=True, **login).start()
Controller(Sink(), hostname="0.0.0.0", port=1465, ssl_context=context, auth_require_tls=False, **login).start()
files = functools.partial(http.server.SimpleHTTPRequestHandler, directory="public")
http.server.ThreadingHTTPServer(("0.0.0.0", 8026), files).serve_forever()
