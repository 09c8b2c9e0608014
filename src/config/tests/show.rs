use std::fmt::Write as _;

use super::*;

/// A file that uses every key there is.
pub(super) const EVERYTHING: &str = r#"
project = "everything"
profiles = "dev"

[bases]
source = "registry"
registry_timeout = "1500ms"
[bases.images.os]
registry = "os:${OS_TAG:-1}"
recipe = "images/os"

[secrets]
DB_PASSWORD = { length = 24 }
ADMIN_PASSWORD = { length = 16, late = true }

[deploy]
ready_timeout = "1m30s"
soak = "3s"
drain_timeout = "20s"
max_surge = 2
keep_releases = 9
pre_deploy_backup = "save"
restore_backup = "bring-back"

[deploy.pool]
connections = 300
reserve = 20
beside = 3
most = 9

[jobs.save]
service = "api"
entrypoint = ["sh", "-c", "save $$HOME"]
command = ["all"]
environment = { LEVEL = 3, API_KEY = "${DB_PASSWORD}" }
volumes = ["data:/saved", { source = "/srv/saved", target = "/more", read_only = false, chown = true }]
depends_on = ["db"]
user = "1:2"
timeout = "1h"

[jobs.bring-back]
service = "api"

[hooks]
pre_deploy = ["save"]
post_deploy = ["bring-back", "save"]

[quickstart]
jobs = ["save"]
tell = "look into .env"

[notify]
webhook = "${DEPLOY_WEBHOOK}"
timeout = "2s"

[volumes.data]
owner = "1:2"
[volumes.list]

[services.db]
base = "os"
user = "mysql"
environment = { DB_PASSWORD = "${DB_PASSWORD}", COST = "5 $$", LIMIT = 5, RATIO = 0.5, ON = true }
gives = { api = { DB_HOST = "db" } }

[services.api]
profiles = ["dev"]
replicas = 3
entrypoint = ["/init"]
command = ["serve", "--price=$$5"]
volumes = ["data:/data:ro", "./files:/files", { source = "/srv/x", target = "/x", read_only = false, chown = true }]
depends_on = ["db"]
restart = "on-failure"
update_order = "stop-first"
stop_grace_period = "90s"
stop_signal = "SIGRTMIN+3"
user = 1000
read_only = true
tmpfs = ["/tmp:size=64m"]
cap_add = ["NET_BIND_SERVICE"]
cap_drop = ["ALL"]
no_new_privileges = true
resources = { memory = "512m", cpus = 0.5, pids = 100 }
labels = { "org.example.release" = "${deploy.release}" }
events = { "startup.ready" = 'ready in (?P<elapsed_ms>\d+)$$' }

[services.api.build]
context = "api"
dockerfile = "api.Dockerfile"
target = "final"
args = { NPM_TOKEN = "${NPM_TOKEN:-}", LEVEL = 3 }
bases = ["os"]
uid = "host"
gid = 7

[services.api.healthcheck]
http = { port = 8080, path = "/ready" }
test = ["CMD-SHELL", "true"]
interval = "1s"
timeout = "250ms"
retries = 2
start_period = "2m"

[services.api.tls]
dir = "/run/tls"
certificate = false
environment = { CA = "/run/tls/ca.pem", POOL = "${deploy.pool}" }

[services.web.tls]
dir = "/run/tls"
certificate = true
names = ["web.example.org", "10.0.0.7"]
owner = "3:4"
arguments = ["--tls"]
reload = ["kill", "-HUP", "1"]

[services.web]
image = "web:1"
ports = ["127.0.0.1:${WEB_PORT:-8080}:80", "[::1]:53:53/udp", "9090"]
volumes = ["list:/list"]
healthcheck = { tcp = { port = 80 } }

[edge]
service = "web"
entrance = "db"
upstream = "api"
port = 8080
template = "list.tera"
maintenance = "page.tera"
volume = "list"
file = "list.conf"
test = ["nginx", "-t"]
reload_signal = "SIGHUP"
worker_process = "old worker"
generation = { port = 81, path = "/generation" }
public_url = "https://web.example.org:8443"

[migrations]
service = "api"
dir = "migrations"
database = "mysql://u:${DB_PASSWORD}@db:3306/d"
require_engine = true
require_charset = true
gaps = "deny"

[backups]
service = "api"
command = ["keeper", "backups"]
dir = "/data/backups"
max_age = "3h"

[verify]
startup_budget = "10s"
start_spread = "500ms"
data = { service = "api", path = "/data" }
web = { index = "/", place = "/rows/1", favicon = { path = "/icon.png", width = 16, height = 16 }, health = "/health", logged = "/rows", configuration = ["nginx", "-T"] }
database = { reserve = 5, tls = true, path = "/rows", parallel = 4, within = "2s" }

[verify.security]
root = ["db"]
canary = { path = "/login", body = '{"password":"{canary}"}' }
rate = { path = "/login", requests = 40, other = "/health", configured = ["/rows"] }
body = { path = "/login", replica = 1024, edge = 2048 }
cors = "/health"

[verify.mail]
service = "api"
command = ["send", "{address}"]
catcher = "web"
port = 80
paths = ["/messages"]

[verify.observability]
service = "api"
metrics = { path = "/metrics", names = ["up"] }
log_keys = ["ts"]
"#;

/// Everything about a stack, secrets included.
fn whole(stack: &Stack) -> String {
    let mut all = serde_json::to_string_pretty(stack).unwrap();
    for service in stack.services.values() {
        for (name, value) in &service.environment {
            writeln!(all, "{}.{name}={}", service.name, value.expose()).unwrap();
        }
    }
    all
}

#[test]
fn what_is_shown_reads_back_as_the_same_stack() {
    for file in [SHIPPED, EVERYTHING] {
        let first = stack(file);
        let shown = show(&first);
        assert_eq!(whole(&stack(&shown)), whole(&first), "{shown}");
        assert_eq!(show(&stack(&shown)), shown);
    }
}

#[test]
fn the_shipped_stack_is_shown_like_this() {
    insta::assert_snapshot!(show(&stack(SHIPPED)));
}

#[test]
fn secrets_that_were_written_out_are_masked_and_a_mask_is_no_secret() {
    let text = r#"
project = "p"
[services.web]
image = "web"
[services.web.environment]
API_KEY = "hunter2"
SESSION_SECRET = "a${PREFIX:-b}c"
URL = "mysql://root:hunter2@db/x?${DB_PASSWORD}"
ALLOW_EMPTY_PASSWORD = "yes"
KEY_FILE = "/run/secrets/key"
"#;
    let stack = stack(text);
    insta::assert_snapshot!(show(&stack));
    let errors = faults(&show(&stack));
    insta::assert_snapshot!(errors);
}
