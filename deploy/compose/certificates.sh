#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A CA of your own, and the certificate that Envoy shows callers, for compose.network.yaml: certificates.sh NAME…
# NAME is what callers say, a DNS name or an IP address. Callers are given ca.pem: tabard --tls-ca ca.pem, TABARD_TLS_CA.
# The CA's key is thrown away: a new certificate is a new CA.
set -euo pipefail
umask 077
(($#)) || { echo "usage: certificates.sh NAME…, what callers say" >&2; exit 2; }
folder=${TABARD_CERTIFICATES:-$(dirname "$(readlink -f "$0")")/certificates}
if [[ -e $folder/envoy.pem ]]; then
  echo "$folder has certificates; remove them to make new ones" >&2
  exit 1
fi
mkdir -p "$folder"
names=DNS:envoy,DNS:localhost,IP:127.0.0.1
for name; do
  if [[ $name =~ ^[0-9.]+$|: ]]; then names+=,IP:$name; else names+=,DNS:$name; fi
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 825 -subj "/CN=Tabard of $1" \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign \
  -keyout "$work/ca.key" -out "$folder/ca.pem" 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
  -keyout "$folder/envoy.key" -out "$work/envoy.csr" 2>/dev/null
printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n' "$names" >"$work/extensions"
openssl x509 -req -in "$work/envoy.csr" -CA "$folder/ca.pem" -CAkey "$work/ca.key" -CAcreateserial -days 825 \
  -extfile "$work/extensions" -out "$folder/envoy.pem" 2>/dev/null
# Envoy's image reads them as another user.
chmod 755 "$folder"
chmod 644 "$folder"/ca.pem "$folder"/envoy.pem "$folder"/envoy.key
[[ -e $folder/prometheus.token ]] || { umask 022; : >"$folder/prometheus.token"; }
echo "$folder: certificates for ${*}; give callers ca.pem"
