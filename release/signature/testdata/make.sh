#!/bin/sh
# Makes the signed folders of the tests with OpenSSF model-signing 1.1.1 (pip install
# model-signing pyopenssl) and OpenSSL 3. Keys and signatures are new each time.
set -e
cd "$(dirname "$0")"
rm -rf signed *.sig *.pem
mkdir -p signed/a signed/notes
printf 'b\n' >signed/a/b.txt
printf 'a-b\n' >signed/a-b.txt
printf 'ü\n' >'signed/ü & é.txt'
: >signed/empty
printf 'not signed\n' >signed/notes/later.txt

openssl ecparam -name prime256v1 -genkey -out sec1.pem # SEC 1, behind its parameters
openssl pkey -in sec1.pem -out key.pem                 # the same key as PKCS#8
openssl pkey -in sec1.pem -pubout -out key.pub.pem
openssl pkey -in sec1.pem -aes128 -passout pass:x -out encrypted.pem
openssl ec -in sec1.pem -aes128 -passout pass:x -out encrypted-sec1.pem 2>/dev/null
openssl ecparam -name prime256v1 -genkey -noout | openssl pkey -pubout -out other.pub.pem
openssl ecparam -name secp384r1 -genkey -noout -out p384.pem
openssl pkey -in p384.pem -pubout -out p384.pub.pem
openssl genpkey -algorithm ed25519 -out ed25519.pem
openssl pkey -in ed25519.pem -pubout -out ed25519.pub.pem
openssl req -x509 -key key.pem -subj /CN=test -days 36500 -addext keyUsage=digitalSignature -addext extendedKeyUsage=codeSigning -out cert.pem

model_signing sign key signed --private_key key.pem --ignore-paths signed/notes --signature signed/model.sig
model_signing sign certificate signed --private_key key.pem --signing_certificate cert.pem --certificate_chain cert.pem --signature certificate.sig
python3 - <<'PY'
from model_signing import hashing, signing
for name, config in {
    "shards": hashing.Config().use_shard_serialization(shard_size=2),
    "blake2": hashing.Config().use_file_serialization(hashing_algorithm="blake2"),
    "links": hashing.Config().set_allow_symlinks(True).set_ignored_paths(paths=["notes", "model.sig"]),
}.items():
    signing.Config().use_elliptic_key_signer(private_key="key.pem").set_hashing_config(config).sign("signed", name + ".sig")
PY
