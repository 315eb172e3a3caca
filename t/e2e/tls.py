"""TLS in front of everything: an authority made here, and an nginx that
serves Chorus by https and stands before both stores with https ports."""

import json
import os
import subprocess

import boto3
from botocore.client import Config

from stack import ROOT, TEMP, Nginx, free_ports, private
from wire import REGION

HOST = "localhost"
CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def openssl(*args):
    done = subprocess.run(["openssl", *args], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=30)
    assert done.returncode == 0, done.stdout


class Authority:
    """cert: the file that clients trust."""

    def __init__(self, folder, name):
        self.folder = folder
        self.name = name
        self.key = f"{folder}/{name}.key"
        self.cert = f"{folder}/{name}.pem"
        openssl("req", "-x509", *CURVE, "-days", "30",
                "-subj", f"/CN=Chorus e2e {name}",
                "-keyout", self.key, "-out", self.cert)

    def issue(self, name, host=HOST, days=7, ip=None):
        """The path of NAME.pem and NAME.key, without the ending; negative
        days: it has expired."""
        path = f"{self.folder}/{self.name}-{name}"
        with open(f"{path}.ext", "w") as f:
            f.write(f"basicConstraints=CA:FALSE\nsubjectAltName=DNS:{host}"
                    f"{f',IP:{ip}' if ip else ''}\n")
        openssl("req", "-new", *CURVE, "-subj", f"/CN={name}",
                "-keyout", f"{path}.key", "-out", f"{path}.csr")
        openssl("x509", "-req", "-in", f"{path}.csr", "-CA", self.cert,
                "-CAkey", self.key, "-days", str(days),
                "-extfile", f"{path}.ext", "-out", f"{path}.pem")
        return path


class TlsFront(Nginx):
    """The other nginx of the stack goes on without TLS."""

    def __init__(self, stack):
        folder = f"{stack.folder}/tls"
        for name in ("", "/log"):
            os.mkdir(folder + name)
        ports = free_ports(4)
        super().__init__(folder, *ports[:2])
        self.name = "nginx-tls"
        self.stack = stack
        self.folder = folder
        self.url = f"https://{HOST}:{self.port}"
        self.ports = dict(zip(("main", "follower"), ports[2:]))
        self.authority = Authority(folder, "known")
        self.stranger = Authority(folder, "unknown")
        self.good = self.authority.issue("good")
        self.certificates = {"main": self.good, "follower": self.good}
        self.config = self.write_config("chorus.json")
        self.write_nginx()

    def store_url(self, name):
        return f"https://{HOST}:{self.ports[name]}"

    def write_config(self, name, **ca_files):
        """chorus.json with stores at their https ports; main="...",
        follower="...": another file than the one that is right."""
        config = self.stack.config_of(main_url=self.store_url("main"),
                                      follower_url=self.store_url("follower"))
        for store in ("main", "follower"):
            config["storages"][store]["ca_file"] = ca_files.get(
                store, self.authority.cert)
        path = f"{self.folder}/{name}"
        with open(path, "w", opener=private) as f:
            json.dump(config, f, indent=4)
        return path

    def use(self, **certificates):
        """use(follower=path): from now on that store shows that."""
        self.certificates.update(certificates)
        self.write_nginx()
        self.reload()

    def store_server(self, name, port):
        pair = self.certificates[name]
        return f"""
server {{
    listen 127.0.0.1:{self.ports[name]} ssl;
    ssl_certificate {pair}.pem;
    ssl_certificate_key {pair}.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    client_max_body_size 0;
    ignore_invalid_headers off;
    access_log {self.folder}/log/{name}.log store;
    location / {{
        proxy_pass http://127.0.0.1:{port};
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_request_buffering off;
        proxy_buffering off;
    }}
}}
"""

    def write_nginx(self):
        stack = self.stack
        temp = "".join(
            f"{'client_' if t == 'body' else ''}{t}_temp_path "
            f"{stack.folder}/temp-{t};\n" for t in TEMP)
        with open(self.conf, "w") as f:
            f.write(f"""
load_module {stack.folder}/bin/ngx_http_chorus_module.so;
{"user root;" if os.geteuid() == 0 else ""}
worker_processes 2;
pid {self.folder}/nginx.pid;
error_log {self.folder}/log/nginx-error.log info;
events {{ worker_connections 1024; }}
http {{
{temp}
log_format store '"$request" $ssl_protocol $ssl_server_name '
                 '"$http_user_agent"';
access_log off;
chorus_config {self.config};
chorus_zone chorus 1m;
upstream main {{
    server 127.0.0.1:{self.ports["main"]};
    keepalive 64;
    keepalive_timeout 30s;
}}
upstream archive {{ server 127.0.0.1:{stack.follower.port}; }}
server {{
    listen 127.0.0.1:{self.port} ssl http2;
    ssl_certificate {self.good}.pem;
    ssl_certificate_key {self.good}.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    include {ROOT}/conf/chorus_server.conf;
    location / {{
        chorus on;
        proxy_ssl_trusted_certificate {self.authority.cert};
        include {ROOT}/conf/chorus_proxy.conf;
    }}
}}
{self.store_server("main", stack.main.port)}
{self.store_server("follower", stack.follower.port)}
}}
""")

    def seen(self, store):
        """What went through that store's port."""
        try:
            with open(f"{self.folder}/log/{store}.log") as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []

    def boto(self, key, **more):
        return boto3.client(
            "s3", endpoint_url=self.url, aws_access_key_id=key.access,
            aws_secret_access_key=key.secret, region_name=REGION,
            verify=self.authority.cert,
            config=Config(s3={"addressing_style": "path"},
                          retries={"max_attempts": 0}, connect_timeout=5,
                          read_timeout=60, **more))
