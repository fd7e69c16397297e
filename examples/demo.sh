#!/bin/sh
# What `make demo` shows: a fresh store, the examples, and the answer to "who sent this job?"
export META_AUDIT_DB="$DEMO/audit.db"

show() {
    printf '\n$ %s\n' "$*"
    "$@"
    code=$?
    [ $code -eq 0 ] || echo "(exit code $code)"
}

show meta-audit ingest examples
show meta-audit trace j-d586d2cc
show meta-audit rejections list
show meta-audit find project=finance
