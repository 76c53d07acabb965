#!/bin/sh
# Apache fills environment variables into its configuration; what it cannot know is where it is and where its modules are.
set -eu
HERE=$PWD
MODULES=/usr/lib/apache2/modules
PID_FILE=${TMPDIR:-/tmp}/authbench-apache-$PORT.pid
export HERE MODULES PID_FILE
# Left behind by one that was killed.
rm -f "$PID_FILE"
exec apache2 -d "$HERE" -f "$HERE/httpd.conf" -D FOREGROUND
