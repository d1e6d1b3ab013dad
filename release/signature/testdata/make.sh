#!/bin/sh
# Makes the signed folders of the tests with OpenSSF model-signing 1.1.1 (pip install
# model-signing pyopenssl) and OpenSSL 3. Keys and signatures are new each time.
set -e
cd "$(dirname "$0")"
rm -rf signed ours.json *.sig *.pem
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
    "shards": hashing.Config().use_shard_serialization(shard_size=1000),
    "blake2": hashing.Config().use_file_serialization(hashing_algorithm="blake2"),
    "links": hashing.Config().set_allow_symlinks(True).set_ignored_paths(paths=["notes", "model.sig"]),
}.items():
    signing.Config().use_elliptic_key_signer(private_key="key.pem").set_hashing_config(config).sign("signed", name + ".sig")
PY
# What we sign of the same files, made by Python alone, with the nonce of RFC 6979.
python3 - <<'PY'
import base64, hashlib, json
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
names = ["a/b.txt", "a-b.txt", "empty", "ü & é.txt"]
sums = [hashlib.sha256(open("signed/" + n, "rb").read()).digest() for n in names]
statement = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": "lab/m", "digest": {"sha256": hashlib.sha256(b"".join(sums)).hexdigest()}}],
    "predicateType": "https://model_signing/signature/v1.0",
    "predicate": {
        "serialization": {"allow_symlinks": False, "hash_type": "sha256", "ignore_paths": [], "method": "files"},
        "resources": [{"algorithm": "sha256", "name": n, "digest": s.hex()} for n, s in zip(names, sums)],
    },
}
payload = json.dumps(statement, ensure_ascii=False, separators=(",", ":")).encode()
kind = "application/vnd.in-toto+json"
key = serialization.load_pem_private_key(open("key.pem", "rb").read(), None)
signature = key.sign(f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
json.dump({"payload": base64.b64encode(payload).decode(), "sig": base64.b64encode(signature).decode()}, open("ours.json", "w"))
PY
