package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/zdhost/zdhost/host/release"
)

func newRelease(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "release",
		Short: "pack, inspect and verify releases",
		Long:  "Makes and examines releases. None of these verbs needs a host that runs.",
		Example: `  zdhost release pack ./build -o shop-v2.tar.gz
  zdhost release verify`,
	}
	group(cmd)
	cmd.AddCommand(newPack(s), newInspect(s), newVerify(s))
	return cmd
}

func newPack(s *session) *cobra.Command {
	var output string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "pack DIR",
		Short: "pack a directory into one file",
		Long: `Packs a directory into one file that any host can take, and prints its digest. The same directory
gives the same bytes. The file appears whole or not at all.`,
		Example: "  zdhost release pack ./build -o shop-v2.tar.gz",
		Args:    arguments(1, 1, "one directory"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if output == "" {
				output = filepath.Base(filepath.Clean(args[0])) + ".tar.gz"
			}
			digest, err := pack(cmd.Context(), args[0], output)
			if err != nil {
				return err
			}
			if asJSON {
				return s.json(struct {
					Digest release.Digest `json:"digest"`
					File   string         `json:"file"`
				}{digest, output})
			}
			_, err = fmt.Fprintf(s.out, "%s  %s\n", digest, output)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print digest and file as one JSON object")
	cmd.Flags().StringVarP(&output, "output", "o", "", "`file` to write (default: the directory's name with .tar.gz)")
	return cmd
}

// pack writes beside the target and renames.
func pack(ctx context.Context, dir, output string) (release.Digest, error) {
	file, err := os.CreateTemp(filepath.Dir(output), "."+filepath.Base(output)+"-*")
	if err != nil {
		return "", fmt.Errorf("cannot pack %s: %w", dir, err)
	}
	defer os.Remove(file.Name()) // fails after the rename, as it should
	defer file.Close()
	digest, err := release.Pack(ctx, dir, file)
	if err != nil {
		return "", err
	}
	err = errors.Join(file.Chmod(0o644), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), output)
	}
	if err != nil {
		return "", fmt.Errorf("cannot pack %s: %w", dir, err)
	}
	return digest, nil
}

func newInspect(s *session) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "inspect RELEASE",
		Short: "what is in a release",
		Long: `Prints the digest and the files of a directory, a packed release, or, with sha256:…, a release that
the host has. Everything is read and hashed; nothing is written.`,
		Example: `  zdhost release inspect shop-v2.tar.gz
  zdhost release inspect sha256:3f2a9c1b --json`,
		Args:              arguments(1, 1, "one release"),
		ValidArgsFunction: files,
		RunE: func(cmd *cobra.Command, args []string) error {
			digest, manifest, err := s.manifest(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return s.json(struct {
					Digest release.Digest `json:"digest"`
					release.Manifest
				}{digest, manifest})
			}
			return writeManifest(s, digest, manifest)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the manifest as one JSON object")
	return cmd
}

// manifest reads a release wherever it is.
func (s *session) manifest(ctx context.Context, named string) (release.Digest, release.Manifest, error) {
	if strings.HasPrefix(named, "sha256:") {
		store, err := s.releases(ctx)
		if err != nil {
			return "", release.Manifest{}, err
		}
		found, err := store.Get(named)
		return found.Digest, found.Manifest, err
	}
	manifest, err := release.Inspect(ctx, named)
	if err != nil {
		return "", manifest, err
	}
	digest, err := manifest.Digest()
	return digest, manifest, err
}

func writeManifest(s *session, digest release.Digest, m release.Manifest) error {
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "%s\n%s, %d files, %d bytes\n", digest, m.Kind, len(m.Files), m.Size())
	if m.Kind == release.KindCommand {
		fmt.Fprintf(table, "command: %q in %s\n", m.Command, m.Dir)
	}
	for _, file := range m.Files {
		content := file.SHA256
		switch {
		case file.Mode == release.ModeLink:
			content = "→ " + file.Link
		case content == "":
			content = "-"
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\n", file.Mode, file.Size, content, file.Path)
	}
	return table.Flush()
}

func newVerify(s *session) *cobra.Command {
	var wanted string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify [RELEASE…]",
		Short: "whether releases are still what they were",
		Long: `Reads and hashes releases again: those that the host has (all of them, or the named sha256:…), packed
releases, and directories. --digest says what a packed release or a directory has to be.`,
		Example: `  zdhost release verify
  zdhost release verify shop-v2.tar.gz --digest sha256:3f2a9c1b…`,
		ValidArgsFunction: files,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.verify(cmd.Context(), args, release.Digest(wanted), asJSON)
		},
	}
	cmd.Flags().StringVar(&wanted, "digest", "", "`sha256:…` that the one named release must have")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

// verified is one release as verify prints it with --json.
type verified struct {
	Release string         `json:"release"` // as it was named
	Digest  release.Digest `json:"digest,omitempty"`
	OK      bool           `json:"ok"`
	Error   string         `json:"error,omitempty"`
}

// verify reports each release on its own and fails if any is not what it was.
func (s *session) verify(ctx context.Context, named []string, wanted release.Digest, asJSON bool) error {
	if wanted != "" && len(named) != 1 {
		return usage("verify releases", errors.New("--digest is for one named release"), "")
	}
	named, err := s.orAll(ctx, named)
	if err != nil {
		return err
	}
	all, bad := []verified{}, []error(nil)
	for _, name := range named {
		digest, err := s.verifyOne(ctx, name)
		if err == nil && wanted != "" && digest != wanted {
			err = fmt.Errorf("cannot verify %s: it is %s, not %s", name, digest, wanted)
		}
		one := verified{Release: name, Digest: digest, OK: err == nil}
		if err != nil {
			bad, one.Error = append(bad, err), err.Error()
		}
		all = append(all, one)
		if asJSON || err != nil {
			continue
		}
		if _, err := fmt.Fprintf(s.out, "ok  %s\n", digest); err != nil {
			return err
		}
	}
	if asJSON {
		bad = append(bad, s.json(all))
	}
	return errors.Join(bad...)
}

// orAll is what was named, or else all releases of the host.
func (s *session) orAll(ctx context.Context, named []string) ([]string, error) {
	if len(named) > 0 {
		return named, nil
	}
	store, err := s.releases(ctx)
	if err != nil {
		return nil, err
	}
	all, err := store.List()
	for _, r := range all {
		named = append(named, string(r.Digest))
	}
	return named, err
}

func (s *session) verifyOne(ctx context.Context, named string) (release.Digest, error) {
	digest, _, err := s.manifest(ctx, named)
	if err != nil || !strings.HasPrefix(named, "sha256:") {
		return digest, err // reading a path hashes all of it
	}
	store, err := s.releases(ctx)
	if err != nil {
		return "", err
	}
	return digest, store.Verify(ctx, digest)
}

// releases opens the host's store, which must be there.
func (s *session) releases(ctx context.Context) (*release.Store, error) {
	dir, err := s.stateDir(ctx)
	if err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, "store")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, usage("open the store of releases", fmt.Errorf("there is none at %s", dir), "name the host's directory with --state-dir")
	}
	return release.Open(dir)
}
