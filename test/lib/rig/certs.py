"""Certificates for tests, made by openssl: an authority, and what it signs."""
import pathlib
import ssl
import subprocess
import time

CONFIG = """
[ca]
default_ca = here
[here]
dir = {dir}
database = {dir}/index.txt
serial = {dir}/serial
new_certs_dir = {dir}
certificate = {dir}/ca.pem
private_key = {dir}/ca.key
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
"""

KEYS = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["rsa:2048"],
        "weak": ["rsa:1024"]}
DAY = 86400


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True,
                   stdin=subprocess.DEVNULL)


def moment(days):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * DAY))


class Authority:
    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.pem = self.dir / "ca.pem"
        self.count = 0
        (self.dir / "index.txt").touch()
        (self.dir / "serial").write_text("1000\n")
        (self.dir / "ca.conf").write_text(CONFIG.format(dir=self.dir))
        openssl("req", "-x509", "-newkey", *KEYS["ec"], "-nodes", "-keyout", self.dir / "ca.key",
                "-out", self.pem, "-days", 3650, "-subj", "/CN=authority of tests")

    def make(self, *names, kind="ec", since=-1, days=90, folder=None, stem=None):
        """A certificate for these names: a block for `tls`, with paths of certificate and key."""
        self.count += 1
        at = pathlib.Path(folder or self.dir)
        stem = stem or f"cert{self.count}"
        cert, key, request = at / f"{stem}.pem", at / f"{stem}.key", at / f"{stem}.csr"
        openssl("req", "-new", "-newkey", *KEYS[kind], "-nodes", "-keyout", key, "-out", request,
                "-subj", f"/CN={names[0]}",
                "-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names))
        openssl("ca", "-batch", "-notext", "-config", self.dir / "ca.conf", "-in", request,
                "-out", cert, "-startdate", moment(since), "-enddate", moment(days))
        return {"cert": str(cert), "key": str(key)}

    def context(self, alpn=("http/1.1",)):
        """For callers who trust this authority and nobody else."""
        context = ssl.create_default_context(cafile=str(self.pem))
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context


def listens(*certs, **more):
    """`listeners` of a gate with these certificates."""
    return {"main": {"tls": list(certs) if len(certs) > 1 else certs[0], **more}}
