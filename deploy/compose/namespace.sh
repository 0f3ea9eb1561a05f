#!/bin/sh
# Makes the namespace, or gives an existing one the retention that is configured now. Fails where the engine does not
# answer: whoever starts this starts it again.
set -eu

namespace() { temporal operator namespace "$@" --address "$TEMPORAL_ADDRESS" --namespace "$NAMESPACE"; }
is_known() { temporal workflow count --address "$TEMPORAL_ADDRESS" --namespace "$NAMESPACE" >/dev/null 2>&1; }

temporal operator cluster health --address "$TEMPORAL_ADDRESS"
if namespace describe >/dev/null 2>&1; then
    namespace update --retention "$RETENTION"
else
    namespace create --retention "$RETENTION"
fi
# All parts of the engine hear of a new namespace within ten seconds or so. Workers come after this and must find it.
for _ in $(seq 60); do
    if is_known; then exit 0; fi
    sleep 1
done
echo "namespace: $NAMESPACE is not known after a minute" >&2
exit 1
