#!/usr/bin/env bash
# Shared libraries, installed into an empty folder: what they show is the list that is checked in, a program builds against them with
# pkg-config and with find_package, the installed programs find each other.
. "$(dirname "$0")/lib.sh"
need cmake cmake
need pkg-config pkg-config
prefix="$work/prefix"
cmake -S "$source_dir" -B build -G Ninja -DCMAKE_BUILD_TYPE=Debug -DBUILD_SHARED_LIBS=ON -DBUILD_TESTING=OFF \
    -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib >build.log 2>&1 || fail "configure: $(tail -n 5 build.log)"
cmake --build build >build.log 2>&1 || fail "build: $(tail -n 20 build.log)"
cmake --install build >install.log 2>&1 || fail "install: $(tail -n 5 install.log)"

# --- the ABI changes on purpose only: NP_UPDATE_ABI=1 rewrites the lists, and the difference is reviewed like code
for library in netphase-trace netphase; do
    nm -D --defined-only "$prefix/lib/lib$library.so" | sed -n 's/.* T \(np_[a-z0-9_]*\)@@NETPHASE_0$/\1/p' | sort >"$library.abi"
    [ -s "$library.abi" ] || fail "lib$library.so shows no public function"
    expected="$source_dir/tests/data/abi-$library.txt"
    [ -z "${NP_UPDATE_ABI:-}" ] || cp "$library.abi" "$expected"
    [ -e "$expected" ] || fail "tests/data/abi-$library.txt is missing"
    equal "public functions of lib$library.so" "$(diff "$expected" "$library.abi")" ""
    equal "names outside np_ in lib$library.so" "$(nm -D --defined-only "$prefix/lib/lib$library.so" | grep -cvE ' np_| A NETPHASE_')" 0
done
equal "libcurl in the read side" "$(ldd "$prefix/lib/libnetphase-trace.so" "$prefix/bin/netphase" | grep -c libcurl)" 0

# --- ten lines, two ways to build them
cat >tiny.c <<'C'
#include <netphase/netphase.h>
#include <stdio.h>
int main(void)
{
    np_error err = {0};
    np_context *context;
    if (np_context_create(NULL, &context, &err))
        return 1;
    np_context_free(context);
    return puts(np_version()) < 0;
}
C
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
# shellcheck disable=SC2046
gcc -Wall -Werror tiny.c -o tiny-pc $(pkg-config --cflags --libs netphase) -Wl,-rpath,"$prefix/lib" >cc.log 2>&1 || fail "pkg-config: $(cat cc.log)"
equal "built with pkg-config" "$(./tiny-pc)" "$("$prefix/bin/netphase" --version | sed -n 's/^libnetphase-trace //p')"
mkdir consumer
cp tiny.c consumer/
cat >consumer/CMakeLists.txt <<'C'
cmake_minimum_required(VERSION 3.25)
project(consumer C)
find_package(netphase REQUIRED)
add_executable(tiny tiny.c)
target_link_libraries(tiny PRIVATE netphase::netphase)
C
cmake -S consumer -B consumer/build -G Ninja -DCMAKE_PREFIX_PATH="$prefix" >consumer.log 2>&1 && cmake --build consumer/build >>consumer.log 2>&1 ||
    fail "find_package: $(tail -n 10 consumer.log)"
consumer/build/tiny >/dev/null || fail "the program built with find_package does not run"

# --- the installed programs
"$prefix/bin/netphase" help record >help.txt 2>&1 || fail "installed help: $(cat help.txt)"
contains "help of a verb that another program has" "$(cat help.txt)" "--concurrency"
"$prefix/bin/netphase" lab -q -- "$prefix/bin/netphase" record -o trace.db https://origin.lab/ >record.txt 2>&1 || fail "installed record: $(cat record.txt)"
trace_is_sound trace.db
contains "a view of the installed terminal UI" "$("$prefix/bin/netphase" tui --dump requests trace.db)" "origin.lab"
"$prefix/bin/netphase" record --resolver system -o system.db http://localhost:1/ >record.txt 2>&1 || fail "the installed netphase-resolve: $(cat record.txt)"
done_ok
