state_dir = "./.zdhost"

listener "web" {
  address = "127.0.0.1:8080" # host:port
}
listener "admin" {
  address = "unix:run/admin.sock"
  mode    = "0660"
}

service "shop" {
  command   = ["./shop", "--verbose"]
  release   = "./releases/v1"
  listeners = ["web"]
  sockets   = "adopt"
  instances = 2
  env       = { LOG = "info" }
  user      = "shop"

  ready {
    timeout = "30s"
    http    = "/healthz"
  }
  drain {
    timeout = "30s"
    settle  = "5s"
    signal  = "SIGTERM"
  }
  restart {
    backoff     = "100ms"
    max_backoff = "30s"
    crash_loop  = "5 in 1m"
  }
  limits {
    memory = "512MiB"
    cpus   = 1.5
    files  = 65536
  }
  strategy "canary" {
    steps = [{ weight = 5, bake = "30s" }, { weight = 50, bake = "1m" }]
  }
  config {
    source "file" {
      path = "./app.yaml"
    }
    source "file" {
      path = "./local.yaml"
    }
    schema  = "./app.schema.json"
    deliver = "file+SIGHUP"
  }
  store = "main"
}
service "mail" {
  command   = ["./mail"]
  listeners = ["admin"]
  sockets   = "inherit"
  watchdog  = "0"
  health {
    exec = ["./check"]
  }
  strategy "bluegreen" {
    bake   = "5s"
    weight = 50
  }
}

plugin "canary-by-region" {
  kind   = "strategy"
  path   = "./plugins/canary-by-region"
  sha256 = "00"
}
store "main" {
  kind = "sqlite"
  path = "./.zdhost/checkpoints.db"
}
policy {
  bundle = "./policy"
  mode   = "enforce"
}
control {
  group = "ops"
}
