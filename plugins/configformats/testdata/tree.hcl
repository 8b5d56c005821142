# comment
state_dir = "./.zdhost"
service "shöp" {
  command   = ["./shop", "--größe"] # tail
  instances = -2
  weight    = 10.50
  env       = { "ä" = "é", LOG = "info" }
  text      = <<-EOT
    two $${lines}
    here
  EOT
  none      = null
  drain { quick = true }
}
service "b" {}
source "file" "x" {
  n = 12345678901234567890
}
