# What the end-to-end tests share; sourced. Each test runs in a folder of its own, which goes at the end, as do the servers it started.
# Usage of a test:  NP_BIN=…/bin  test_NAME.sh
set -u
LC_ALL=C.UTF-8
export LC_ALL
unset NETPHASE_TRACE NETPHASE_DNS_SERVER NETPHASE_CONNECT_TO CURL_CA_BUNDLE SSL_CERT_FILE SSL_CERT_DIR
unset http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY no_proxy NO_PROXY
netphase="$NP_BIN/netphase"
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/netphase-test.XXXXXX")
pids=()
checks=0
cd "$work" || exit 1

cleanup() {
    local pid
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null; done
    cd / && rm -rf "$work"
}
trap cleanup EXIT

fail() {
    printf 'FAILED: %s\n' "$*"
    exit 1
}

# equal WHAT FOUND EXPECTED
equal() {
    checks=$((checks + 1))
    [ "$2" = "$3" ] || fail "$1: found '$2', expected '$3'"
}

# holds WHAT EXPRESSION: an arithmetic expression of bash
holds() {
    checks=$((checks + 1))
    (($2)) || fail "$1: $2 does not hold"
}

# contains WHAT TEXT PART
contains() {
    checks=$((checks + 1))
    case "$2" in *"$3"*) ;; *) fail "$1: '$3' is not in: $2" ;; esac
}

# need PROGRAM PACKAGE: without it the test is skipped, loudly
need() {
    command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] && return 0
    printf 'SKIPPED: %s is missing (install %s)\n' "$1" "$2"
    exit 77
}

done_ok() {
    printf '%d checks held\n' "$checks"
    exit 0
}

# until_true SECONDS COMMAND…: waits for a condition, with a deadline
until_true() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.02
    done
}

# sql TRACE STATEMENT
sql() {
    sqlite3 -readonly -cmd '.timeout 10000' "$1" "$2"
}

# What must be true of every trace: sums, the view problems, the file's own integrity, no ring left over.
trace_is_sound() {
    equal "integrity of $1" "$(sql "$1" 'PRAGMA integrity_check')" ok
    equal "problems of $1" "$(sql "$1" 'SELECT count(*) FROM problems')" 0
    equal "sums of $1" "$(sql "$1" 'SELECT count(*) FROM requests WHERE total_ns <> gap_ns + coalesce(queue_ns,0) + coalesce(proxy_ns,0)
        + coalesce(dns_ns,0) + coalesce(connect_ns,0) + coalesce(tunnel_ns,0) + coalesce(tls_ns,0) + coalesce(send_ns,0)
        + coalesce(wait_ns,0) + coalesce(receive_ns,0)')" 0
    equal "rings beside $1" "$(find "$(dirname "$1")" -maxdepth 1 -name "$(basename "$1")-ring-*" | wc -l)" 0
}

nginx_program() {
    local found
    for found in "${NETPHASE_TEST_NGINX:-}" "$(command -v nginx)" /usr/sbin/nginx; do
        if [ -n "$found" ] && [ -x "$found" ]; then
            printf '%s\n' "$found"
            return
        fi
    done
}

port_is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 30000))
        port_is_open "$port" || break
    done
    printf '%s\n' "$port"
}

# A certificate authority and a certificate for localhost, origin.test and 127.0.0.1: ca.pem, cert.pem, key.pem
make_certificates() {
    {
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj '/CN=netphase test CA' -keyout ca.key -out ca.pem &&
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout key.pem -out cert.csr &&
            printf 'subjectAltName=DNS:localhost,DNS:origin.test,IP:127.0.0.1\n' >cert.ext &&
            openssl x509 -req -in cert.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile cert.ext -out cert.pem
    } >openssl.log 2>&1 || fail "certificates: $(tail -n 3 openssl.log)"
}

# Starts nginx with http on $http_port and https on $https_port; its access log is access.log, a line a request.
start_nginx() {
    local program extra=${1:-}
    program=$(nginx_program)
    if [ -z "$program" ]; then
        echo "SKIPPED: nginx is missing (install nginx)"
        exit 77
    fi
    [ -e cert.pem ] || make_certificates
    mkdir -p www temp
    printf 'hello\n' >www/index.html
    head -c 1000000 /dev/zero >www/large
    local try
    for try in 1 2 3 4 5; do
        http_port=$(free_port)
        https_port=$(free_port)
        cat >nginx.conf <<CONF
daemon off;
master_process off;
pid $work/nginx.pid;
error_log $work/error.log;
events { worker_connections 4096; }
http {
    access_log $work/access.log combined;
    log_format full escape=none '\$request_method \$request_uri \$status type=\$http_content_type length=\$content_length '
        'coding=\$http_transfer_encoding expect=\$http_expect accept=\$http_accept_encoding \$server_protocol body=\$request_body';
    access_log $work/full.log full;
    client_body_temp_path $work/temp/body;
    proxy_temp_path $work/temp/proxy;
    fastcgi_temp_path $work/temp/fastcgi;
    uwsgi_temp_path $work/temp/uwsgi;
    scgi_temp_path $work/temp/scgi;
    keepalive_requests 1000000;
    server {
        listen 127.0.0.1:$http_port;
        listen 127.0.0.1:$https_port ssl;
        ssl_certificate $work/cert.pem;
        ssl_certificate_key $work/key.pem;
        ssl_protocols TLSv1.2 TLSv1.3;
        root $work/www;
        location = /missing { return 404 "nothing\n"; }
        location = /moved { return 302 /; }
        location = /error { return 500 "broken\n"; }
        $extra
    }
}
CONF
        "$program" -p "$work" -c "$work/nginx.conf" >nginx.out 2>&1 &
        local pid=$!
        if until_true 10 ports_open_or_dead "$pid" && kill -0 "$pid" 2>/dev/null; then
            pids+=("$pid")
            nginx_pid=$pid
            return
        fi
        wait "$pid" 2>/dev/null
    done
    fail "nginx does not start: $(cat nginx.out error.log 2>/dev/null | tail -n 3)"
}

ports_open_or_dead() {
    ! kill -0 "$1" 2>/dev/null || { port_is_open "$http_port" && port_is_open "$https_port"; }
}

stop_nginx() {
    kill "$nginx_pid" 2>/dev/null
    wait "$nginx_pid" 2>/dev/null
}
