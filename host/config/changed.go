package config

import "reflect"

// Changed lists the keys of a service's block whose values differ, in the order
// of the struct. Values are not told: those of env are secret.
func Changed(a, b Service) []string {
	var keys []string
	before, after := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range before.NumField() {
		if !reflect.DeepEqual(before.Field(i).Interface(), after.Field(i).Interface()) {
			keys = append(keys, serviceKeyNames[before.Type().Field(i).Name])
		}
	}
	return keys
}

// serviceKeyNames has the key of each field of a Service.
var serviceKeyNames = map[string]string{
	"Name": "name", "Command": "command", "Release": "release", "Listeners": "listeners", "Sockets": "sockets",
	"Instances": "instances", "Env": "env", "EnvInherit": "env_inherit", "User": "user", "Group": "group", "Dir": "dir",
	"Ready": "ready", "Health": "health", "Drain": "drain", "Restart": "restart", "Limits": "limits", "Strategy": "strategy",
	"Watchdog": "watchdog", "PIDFile": "pid_file",
}
