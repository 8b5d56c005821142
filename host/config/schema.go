package config

// Type is the type of a key's value.
type Type string

// The types of a Key.
const (
	TypeString   Type = "string"
	TypePath     Type = "path"      // relative to the file that names it
	TypeAddress  Type = "address"   // see Listener
	TypeInt      Type = "integer"   //
	TypeNumber   Type = "number"    //
	TypeBool     Type = "bool"      //
	TypeDuration Type = "duration"  // "500ms", "30s", "1h30m", "30d"
	TypeSize     Type = "size"      // "512MiB", "2GB", or a number of bytes
	TypeRate     Type = "rate"      // "5 in 1m"
	TypeSignal   Type = "signal"    // "SIGTERM"
	TypeMode     Type = "file mode" // "0660"
	TypeHTTPPath Type = "URL path"  // "/healthz"
	TypeStrings  Type = "list of strings"
	TypeEnv      Type = "map of strings" // environment variables; values are secret
	TypeBlock    Type = "block"
	TypeNamed    Type = "named blocks"    // a map of blocks, keyed by their label
	TypeChoice   Type = "labelled block"  // one block; its label chooses among Keys
	TypeChoices  Type = "labelled blocks" // a list of such blocks
	TypeAny      Type = "any"             // checked for syntax only
)

// Key is one key of the configuration: a row of the schema.
type Key struct {
	Name     string
	Type     Type
	Default  string // as it would be written in a file; empty: none
	Doc      string // a sentence or two for the reference page
	Example  string // a value as it would be written in HCL
	Required bool
	Values   []string // of TypeString: the only ones; of TypeDuration: words beside durations
	NonZero  bool     // of TypeDuration: 0 is refused
	Min, Max float64  // of TypeInt and TypeNumber; both zero: any
	Keys     []Key    // of a block: its keys; of TypeChoice and TypeChoices: a TypeBlock or TypeAny for each label
	OptIn    bool     // of TypeBlock: its defaults apply only where the block is given
	// Unsupported marks what is read and checked but can't be served by this
	// version: its use is refused.
	Unsupported bool
	Mistaken    []string // names that people write for this one
}

// Schema returns the keys of the configuration, in the order of the reference
// page. The caller may change what it gets.
func Schema() []Key {
	return []Key{
		{Name: "state_dir", Type: TypePath, Default: "./.zdhost", Example: `"/var/lib/zdhost"`, Mistaken: []string{"data_dir", "state"},
			Doc: "Directory of the journal, the releases and the control socket. One host at a time uses it. Nothing of the journal is removed yet."},
		{Name: "run_dir", Type: TypePath, Example: `"/run/zdhost"`, Mistaken: []string{"runtime_dir", "socket_dir"},
			Doc: "Where the sockets are: in a directory of the host's own below this one, which must be at most 67 bytes long, since a unix socket's path may have 107. Default: `run` in `state_dir` where that is short enough, else a directory of its own below `/run/zdhost`, `$XDG_RUNTIME_DIR/zdhost` or the temporary directory."},
		{Name: "control", Type: TypeBlock, Doc: "Who may speak to the host.", Keys: []Key{
			{Name: "group", Type: TypeString, Example: `"ops"`, Doc: "Group whose members may use the control socket (mode 0660). Without it only the host's own user and root may (0600)."},
		}},
		{Name: "log", Type: TypeBlock, Doc: "zdhost's own log, on standard error.", Keys: []Key{
			{Name: "format", Type: TypeString, Default: "auto", Values: []string{"auto", "text", "json"}, Doc: "`auto`: text on a terminal, JSON otherwise."},
			{Name: "level", Type: TypeString, Default: "info", Values: []string{"debug", "info", "warn", "error"}, Doc: "The least important messages that are logged."},
		}},
		{Name: "releases", Type: TypeBlock, Doc: "How long releases that nothing runs any more are kept.", Keys: []Key{
			{Name: "keep", Type: TypeInt, Default: "5", Min: 1, Max: 1000, Doc: "Releases that each service ran last and that are kept whatever their age; what runs and the one before always are."},
			{Name: "max_age", Type: TypeDuration, Default: "30d", Doc: "Older ones beyond `keep` are removed."},
		}},
		{Name: "listener", Type: TypeNamed, Keys: listenerKeys(), Mistaken: []string{"listeners", "listen", "socket", "server"},
			Doc: "An address that the host holds, whatever happens to the programs behind it. Names match `[a-z0-9][a-z0-9_.-]{0,62}`."},
		{Name: "service", Type: TypeNamed, Keys: serviceKeys(), Mistaken: []string{"services", "app", "program"},
			Doc: "A program that is kept up. Names match `[a-z0-9][a-z0-9_.-]{0,62}`; `host` is none."},
		{Name: "plugin", Type: TypeNamed, Unsupported: true, Doc: "A plugin that is not bundled.", Keys: []Key{
			{Name: "kind", Type: TypeString, Required: true, Values: []string{"strategy", "store", "config_format"}, Doc: "What it is."},
			{Name: "path", Type: TypePath, Required: true, Doc: "Its program."},
			{Name: "sha256", Type: TypeString, Doc: "The program's digest, in hexadecimal."},
		}},
		{Name: "store", Type: TypeNamed, Unsupported: true, Doc: "A place for checkpoints.", Keys: []Key{
			{Name: "kind", Type: TypeString, Required: true, Doc: "The store's plugin."},
			{Name: "path", Type: TypePath, Doc: "Its file, where it has one."},
		}},
		{Name: "policy", Type: TypeBlock, OptIn: true, Unsupported: true, Doc: "The policies that the gate asks.", Keys: []Key{
			{Name: "bundle", Type: TypePath, Required: true, Doc: "Their directory."},
			{Name: "mode", Type: TypeString, Default: "enforce", Values: []string{"enforce", "report"}, Doc: "Whether a denial stops a change or is only recorded."},
		}},
	}
}

func listenerKeys() []Key {
	return []Key{
		{Name: "address", Type: TypeAddress, Required: true, Example: `"127.0.0.1:8080"`, Mistaken: []string{"addr", "bind", "listen", "port", "host"},
			Doc: "`host:port` with an IP address; `:8080` for every address of both families; `0.0.0.0:8080` or `[::]:8080` for every address of one; `udp:host:port`; `unix:PATH`. `localhost` is 127.0.0.1."},
		{Name: "backlog", Type: TypeInt, Default: "4096", Min: 1, Max: 1 << 20, Doc: "Connections that may wait in the queue of each lane; the kernel's `net.core.somaxconn` bounds it."},
		{Name: "sticky", Type: TypeBool, Default: "false", Doc: "While two generations share the address, send a client's connections to the same one, by its address."},
		{Name: "mode", Type: TypeMode, Default: "0666", Example: `"0660"`, Doc: "Permissions of a unix socket."},
	}
}
