#!/usr/bin/env bash
# The decision for an environment and a URL is the one that the curl program of this machine makes: the address that curl tries first is
# compared with the first proxy that `netphase proxy` names. All proxies are closed ports on loopback, and --connect-to sends what goes
# directly to another one, so nothing leaves the machine.
. "$(dirname "$0")/lib.sh"
need curl curl
direct_port=7

# curl_tries URL NAME=VALUE…: "127.0.0.9:9", or "refused" where curl does not even try
curl_tries() {
    local url=$1
    shift
    env -i "PATH=$PATH" "$@" curl -q -sv -m 5 -o /dev/null --connect-to "::127.0.0.1:$direct_port" "$url" 2>&1 |
        sed -n 's/^\* *Trying \(.*\)\.\.\.$/\1/p; s/.*Unsupported proxy .*/refused/p' | head -1
}

# ours URL NAME=VALUE…: the same from netphase
ours() {
    local url=$1 first
    shift
    first=$(env -i "PATH=$PATH" "$@" "$netphase" proxy --format json "$url" 2>/dev/null |
        sed -n 's/.*"proxies": \[\("\([^"]*\)"\)\{0,1\}.*/\2/p')
    case "$first" in
        direct) echo "127.0.0.1:$direct_port" ;;
        '') echo refused ;;
        *) echo "${first#*://}" ;;
    esac
}

# same URL NAME=VALUE…
same() {
    equal "$*" "$(ours "$@")" "$(curl_tries "$@")"
}

p=127.0.0.2:9
q=127.0.0.3:9

# --- which variable
for scheme in http https; do
    url=$scheme://h.test/
    same $url
    same $url http_proxy=$p
    same $url https_proxy=$p
    same $url HTTP_PROXY=$p
    same $url HTTPS_PROXY=$p
    same $url all_proxy=$p
    same $url ALL_PROXY=$p
    same $url http_proxy=$p all_proxy=$q
    same $url https_proxy=$p all_proxy=$q
    same $url http_proxy= all_proxy=$q
    same $url https_proxy= HTTPS_PROXY=$p all_proxy=$q
    same $url https_proxy=$p HTTPS_PROXY=$q
    same $url HTTP_PROXY=$p ALL_PROXY=$q
    same $url all_proxy= ALL_PROXY=$q
    same $url all_proxy=$p ALL_PROXY=$q
    same $url http_proxy=$p https_proxy=$p no_proxy= NO_PROXY=h.test
    same $url http_proxy=$p https_proxy=$p no_proxy=x NO_PROXY=h.test
    same $url http_proxy=$p https_proxy=$p no_proxy=h.test NO_PROXY=x
done

# --- what a value may look like
for value in http://$p https://$p socks4://$p socks4a://$p socks5://$p socks5h://$p socks://$p HTTP://$p $p/ http://$p/path \
    user:word@$p http://us%40er:w%3ard@$p 127.0.0.2 http://127.0.0.2 https://127.0.0.2 http://[::1]:9 [::1]:9 http://[::1] \
    quic://$p gopher://$p http://127.0.0.2:0x50 http://127.0.0.2:65536; do
    same http://h.test/ "http_proxy=$value"
    same https://h.test/ "all_proxy=$value"
done

# --- no_proxy
while IFS='|' read -r host list; do
    same "http://$host/" http_proxy=$p "no_proxy=$list"
done <<'TABLE'
h.test|h.test
h.test|.h.test
h.test|test
h.test|.test
h.test|st
h.test|xh.test
xh.test|h.test
www.h.test|h.test
h.test|www.h.test
H.TEST|h.test
h.test|H.Test
h.test|h.test.
h.test.|h.test
h.test.|.test.
h.test|..test
h.test|h.test..
h.test|.
h.test|*
h.test| *
h.test|* 
h.test|*,x
h.test|x,*
h.test|*.test
h.test|a,h.test
h.test|a, h.test
h.test|a ,h.test
h.test|a h.test
h.test|a,,h.test
h.test|,h.test,
h.test| , h.test
h.test:81|h.test
h.test:81|h.test:81
h.test:81|h.test:80
10.1.2.3|10.1.2.3
10.1.2.3|10.0.0.0/8
10.1.2.3|11.0.0.0/8
10.1.2.3|10.1.2.0/24
10.1.2.3|10.1.2.4/31
10.1.2.3|10.1.2.2/31
10.1.2.3|10.0.0.0/0
10.1.2.3|10.1.2.3/0
10.1.2.3|10.1.2.3/32
10.1.2.3|10.1.2.3/33
10.1.2.3|10.0.0.0/8x
10.1.2.3|10.0.0.0/+8
10.1.2.3|10.0.0.0/-8
10.1.2.3|10.0.0.0/
10.1.2.3|10.1.2.3/
10.1.2.3|10.1.2.3/x
10.1.2.3|10.0.0.0/8/9
10.1.2.3|10.0.0.0/4294967304
10.1.2.3|2.3
10.1.2.3|.3
10.1.2.3|10.1.2.3.
10.1.2.3|10/8
10.1.2.3|010.1.2.3
[2001:db8::1]|2001:db8::1
[2001:db8::1]|2001:DB8::1
[2001:DB8:0::1]|2001:db8::1
[2001:db8::1]|[2001:db8::1]
[2001:db8::1]|2001:db8:0::1
[2001:db8::1]|.2001:db8::1
[2001:db8::1]|10.0.0.0/8
TABLE

# --- where we go further, and say so
equal "an IPv6 prefix" "$(ours 'http://[2001:db8::1]/' http_proxy=$p no_proxy=2001:db8::/32)" "127.0.0.1:$direct_port"
contains "its mark" "$(env -i "PATH=$PATH" http_proxy=$p no_proxy=2001:db8::/32 "$netphase" proxy -f json 'http://[2001:db8::1]/')" '"beyond_curl": true'
equal "loopback" "$(ours http://127.0.0.1/ http_proxy=$p)" "127.0.0.1:$direct_port"
contains "its reason" "$(env -i "PATH=$PATH" http_proxy=$p "$netphase" proxy http://127.0.0.1/)" "loopback is reached directly"

# --- options stand before the environment, as in curl
option() { # URL OPTION…: with http_proxy=$p and no_proxy=h.test
    local url=$1 ours curls
    shift
    ours=$(env -i "PATH=$PATH" http_proxy=$p no_proxy=h.test "$netphase" proxy -f json "$@" "$url" 2>&1 | sed -n 's/.*"proxies": \["\([^"]*\)".*/\1/p')
    [ "$ours" = direct ] && ours=127.0.0.1:$direct_port
    curls=$(env -i "PATH=$PATH" http_proxy=$p no_proxy=h.test curl -q -sv -m 5 -o /dev/null --connect-to "::127.0.0.1:$direct_port" "$@" "$url" 2>&1 |
        sed -n 's/^\* *Trying \(.*\)\.\.\.$/\1/p' | head -1)
    equal "$url with $*" "${ours#*://}" "$curls"
}
for host in h.test other.test; do
    option http://$host/ --proxy $q
    option http://$host/ --proxy ''
    option http://$host/ --noproxy other.test
    option http://$host/ --noproxy ''
    option http://$host/ --noproxy '*'
    option http://$host/ --proxy $q --noproxy other.test
    option http://$host/ --proxy $q --noproxy ''
done

# --- the verb's own manners
env -i "PATH=$PATH" "$netphase" proxy http://h.test/ >out.txt 2>err.txt || fail "without a proxy: $(cat err.txt)"
contains "says direct" "$(cat out.txt)" "no source names a proxy"
env -i "PATH=$PATH" HTTP_PROXY=$p "$netphase" proxy http://h.test/ >out.txt
contains "httpoxy" "$(cat out.txt)" "HTTP_PROXY in capitals is not read"
env -i "PATH=$PATH" http_proxy=http://user:secret@$p "$netphase" proxy http://h.test/ >out.txt
contains "the proxy" "$(cat out.txt)" "http://$p"
case "$(cat out.txt)" in *secret*) fail "a password is shown: $(cat out.txt)" ;; esac
for wrong in "--proxy quic://x http://h.test/" "--proxy http://u:secret@ http://h.test/" "h.test" "http://" "--proxy-source dhcp http://h.test/" \
    "--proxy-timeout 5 http://h.test/" "" "ftp://h.test/"; do
    # shellcheck disable=SC2086
    "$netphase" proxy $wrong >out.txt 2>err.txt
    equal "exit status of: proxy $wrong" $? 2
    equal "output of: proxy $wrong" "$(cat out.txt)" ""
    case "$(cat err.txt)" in *secret*) fail "a password is shown: $(cat err.txt)" ;; esac
done
env -i "PATH=$PATH" http_proxy=quic://$p "$netphase" proxy http://h.test/ >out.txt 2>err.txt
equal "exit status of a variable that is no proxy" $? 2
contains "names the variable" "$(cat err.txt)" "http_proxy: the proxy scheme quic is not known"
"$netphase" record -o wrong.db --proxy quic://x http://127.0.0.1:$direct_port/ >out.txt 2>err.txt
equal "exit status of record" $? 2
[ -e wrong.db ] && fail "a trace was made for a mistyped proxy"

# --- what the trace of a request says: the first one decides, the second one remembers
need sqlite3 sqlite3
env -i "PATH=$PATH" "http_proxy=http://user:secret@$p" "$netphase" record -q -n 2 -o decided.db http://h.test/ >out.txt 2>err.txt
equal "requests" "$(sql decided.db "SELECT count(*) FROM requests WHERE proxy = 'http://$p' AND proxy_source = 'environment'")" 2
equal "decisions" "$(sql decided.db 'SELECT count(proxy_ns) FROM requests')" 1
equal "its span" "$(sql decided.db "SELECT name, json_extract(detail, '\$.verdict'), json_extract(detail, '\$.value'), json_extract(detail, '\$.variable') FROM spans WHERE kind = 'source'")" \
    "environment|used|http://$p|http_proxy"
equal "phases that do not add up" "$(sql decided.db 'SELECT count(*) FROM problems')" 0
[ "$(grep -c secret decided.db)" = 0 ] || fail "a password is in the trace"
env -i "PATH=$PATH" http_proxy=$p "$netphase" record -q -n 2 --cold -o cold.db http://h.test/ >out.txt 2>err.txt
equal "cold decisions" "$(sql cold.db 'SELECT count(proxy_ns) FROM requests')" 2
env -i "PATH=$PATH" http_proxy=$p "$netphase" record -q -o local.db http://127.0.0.1:$direct_port/ >out.txt 2>err.txt
equal "loopback" "$(sql local.db 'SELECT count(*), count(proxy), count(proxy_ns) FROM requests')" "1|0|0"

head -c 100000 /dev/zero | tr '\0' 'a' >long.txt
"$netphase" proxy --proxy "$(cat long.txt)" http://h.test/ >out.txt 2>err.txt
equal "exit status of a long proxy" $? 2
env -i "PATH=$PATH" http_proxy=$p "no_proxy=$(cat long.txt),h.test" "$netphase" proxy http://h.test/ >out.txt 2>err.txt || fail "$(cat err.txt)"
contains "behind a long entry" "$(cat out.txt)" "direct"
done_ok
