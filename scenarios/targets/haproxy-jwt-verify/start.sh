#!/bin/sh
# HAProxy takes keys as files and fills environment variables into its configuration; the key comes as one of them.
set -eu
PUBLIC_KEY_FILE=/dev/fd/3
export PUBLIC_KEY_FILE
exec haproxy -db -f haproxy.cfg 3<<KEY
$PUBLIC_KEY
KEY
