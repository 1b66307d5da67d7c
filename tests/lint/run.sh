#!/bin/bash
# Checks of the source that need no running: layout, includes, common mistakes.
# Every check runs; any that fails makes the whole fail.
#
#   CC=... CFLAGS=... tests/lint/run.sh ARCH -- called by `make lint`

set -uo pipefail
arch=$1
failed=()
jobs=$(nproc)

check() { # check NAME COMMAND...: says whether it passed, and what it said if not
    local name=$1 log
    shift
    log=build/lint-$name.log
    if "$@" >"$log" 2>&1; then
        printf '  LINT    %s\n' "$name"
    else
        printf '  LINT    %s: FAILED\n' "$name"
        head -n 60 "$log"
        failed+=("$name")
    fi
}

sources() { # sources PATTERN...: our files, in the hypervisor's and the tests' directories
    local patterns=() pattern
    for pattern in "$@"; do patterns+=(-o -name "$pattern"); done
    find include common drivers arch tests -type f \( "${patterns[@]:1}" \) 2>/dev/null | sort
}

# Without those of the other architecture, whose headers have the same names.
hypervisor() { sources "$1" | grep -v '^tests/' | grep -E "^arch/(arm|$arch)/|^[^a]"; }
hypervisor_c() { hypervisor '*.c'; }

format() { { sources '*.c' '*.h' && find tools -name '*.[ch]'; } | grep -v '^tests/guests/' | xargs clang-format --dry-run -Werror; }

# clang's own compiler headers in place of gcc's, and no warning flags of gcc.
clang_flags() {
    local include
    include=$(clang -print-file-name=include)
    echo "--target=aarch64-none-elf $CFLAGS" |
        sed "s|-isystem $($CC -print-file-name=include)|-isystem $include|; s/-Werror//g"
}

tidy() {
    hypervisor_c | xargs -P "$jobs" -n 4 sh -c 'flags=$0; clang-tidy --quiet "$@" -- $flags' "$(clang_flags)"
}

cpp_check() {
    cppcheck --quiet -j "$jobs" --std=c11 --enable=warning,portability --inline-suppr \
        --error-exitcode=1 --suppress=missingInclude --suppress=missingIncludeSystem \
        --suppress='*:build/*' --suppress=comparePointers \
        --suppress=uninitvar --suppress=preprocessorErrorDirective \
        --suppress=shiftTooManyBitsSigned -DHF_DEBUG=1 -D__aarch64__=1 \
        -Iinclude "-Iarch/$arch/include" -Iarch/arm/include $(hypervisor_c)
}

# Each header compiles by itself, so that no file depends on the order of its includes.
headers_alone() {
    local header status=0
    for header in $(hypervisor '*.h'); do
        echo "#include \"$PWD/$header\"" |
            $CC $CFLAGS -fsyntax-only -x c - || { echo "$header: not by itself"; status=1; }
    done
    return $status
}

shell_parses() {
    local file status=0
    for file in scripts/*.sh tests/lint/*.sh .ci/run; do bash -n "$file" || status=1; done
    return $status
}

check format format
check floors /usr/bin/python3 tests/lint/floors.py "$arch"
check messages /usr/bin/python3 tests/lint/messages.py
check named_tests /usr/bin/python3 tests/lint/named_tests.py
check headers headers_alone
check cppcheck cpp_check
check tidy tidy
check shell shell_parses

if [ ${#failed[@]} -gt 0 ]; then
    echo "lint: failed: ${failed[*]}"
    exit 1
fi
