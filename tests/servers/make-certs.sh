#!/bin/sh
# make-certs.sh DIR: throw-away TLS certificates for the test servers, made in DIR in well under a
# second: ca.pem to trust, and good, wrong (another host name), expired (in 2020) and self
# (self-signed), each as NAME.pem = certificate + key.  Says nothing unless it fails; nothing of it
# is worth keeping, and nothing of it is ever committed.
set -e
umask 077
mkdir -p "${1:?usage: make-certs.sh DIR}"
cd "$1"
trap 'rm -f ./*.csr ./*.crt ./*.key ca.cnf index.txt* serial* 0[0-9].pem log' EXIT

quiet() { "$@" > log 2>&1 || { cat log >&2; exit 1; }; }

# Our own configuration: the system's openssl.cnf differs from one distribution to the next.
cat > ca.cnf << 'CNF'
[req]
distinguished_name = name
prompt = no
[name]
CN = localhost
[ca]
default_ca = test
[test]
database = index.txt
serial = serial
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
default_md = sha256
default_days = 30
policy = any
unique_subject = no
[any]
commonName = supplied
[root]
basicConstraints = critical,CA:true
subjectKeyIdentifier = hash
[local]
basicConstraints = critical,CA:false
subjectAltName = DNS:localhost,IP:127.0.0.1,IP:::1
[elsewhere]
basicConstraints = critical,CA:false
subjectAltName = DNS:other.test
CNF
: > index.txt
echo 01 > serial

new() { # NAME OPTION...: a key and a request or certificate for it; RSA would take seconds
  name=$1; shift
  quiet openssl req -config ca.cnf -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
    -keyout "$name.key" "$@"
}
sign() { # NAME SECTION OPTION...: NAME.pem signed by the CA, with the extensions of SECTION
  name=$1; section=$2; shift 2
  new "$name" -subj "/CN=$name" -out "$name.csr"
  quiet openssl ca -batch -notext -config ca.cnf -extensions "$section" -in "$name.csr" \
    -out "$name.crt" "$@"
  cat "$name.crt" "$name.key" > "$name.pem"
}

new ca -x509 -subj "/CN=vqcache test CA" -extensions root -days 30 -out ca.pem
sign good local
sign wrong elsewhere
sign expired local -startdate 20200101000000Z -enddate 20200131000000Z
new self -x509 -extensions local -days 30 -out self.crt
cat self.crt self.key > self.pem
