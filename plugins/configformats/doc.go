// Package configformats lists the configuration formats that zdhost brings
// along: HCL, YAML, TOML and JSON, one package each, all of them with the same
// rules (pluginapi.CheckSource, pluginapi.CheckTree) and the same tree for the
// same configuration. They import pluginapi and their parser, nothing else of
// zdhost.
package configformats
