#!/bin/sh
# The replica set of one node, auth's user with its database, and what it may do: all there, but only add and read in
# the audit log's database. Doing it again changes nothing, or brings an older user's roles up to date.
set -eu
mongosh --quiet --tls --tlsCertificateKeyFile /grove/identity/operator/identity.pem --tlsCAFile /grove/pki/internal/ca.pem \
  --host mongodb -u grove_root -p "$(cat /run/secrets/mongo_root_password)" --authenticationDatabase admin --eval '
    try { rs.status() } catch (missing) { rs.initiate({_id: "rs0", members: [{_id: 0, host: "mongodb:27017"}]}) }
    while (!db.hello().isWritablePrimary) sleep(200)
    const add = ["find", "insert", "createCollection", "createIndex", "listCollections", "listIndexes", "killCursors"]
    const permitted = [
      ["auth", "grove_read_write", [...add, "update", "remove", "dropIndex", "collMod", "changeStream"]],
      ["auth_audit", "grove_append_only", add],
    ]
    for (const [name, role, actions] of permitted) {
      const database = db.getSiblingDB(name), privileges = [{resource: {db: name, collection: ""}, actions}]
      if (database.getRole(role)) database.updateRole(role, {privileges, roles: []})
      else database.createRole({role, privileges, roles: []})
    }
    const auth = db.getSiblingDB("auth"), roles = permitted.map(([name, role]) => ({role, db: name}))
    const password = require("fs").readFileSync("/run/secrets/auth_mongo_password", "utf8").trim()
    if (auth.getUser("auth")) auth.updateUser("auth", {roles})
    else auth.createUser({user: "auth", pwd: password, roles})'
