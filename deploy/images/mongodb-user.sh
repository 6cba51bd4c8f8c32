#!/bin/sh
# The replica set of one node, and auth's user with its database; doing it again changes nothing.
set -eu
mongosh --quiet --tls --tlsCertificateKeyFile /grove/identity/operator/identity.pem --tlsCAFile /grove/pki/internal/ca.pem \
  --host mongodb -u grove_root -p "$(cat /run/secrets/mongo_root_password)" --authenticationDatabase admin --eval '
    try { rs.status() } catch (missing) { rs.initiate({_id: "rs0", members: [{_id: 0, host: "mongodb:27017"}]}) }
    while (!db.hello().isWritablePrimary) sleep(200)
    const auth = db.getSiblingDB("auth")
    const password = require("fs").readFileSync("/run/secrets/auth_mongo_password", "utf8").trim()
    if (!auth.getUser("auth")) auth.createUser({user: "auth", pwd: password, roles: [{role: "readWrite", db: "auth"}]})'
