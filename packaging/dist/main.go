// Command dist makes what a release consists of, for every machine we build
// for: the static program, its list of parts (SBOM), and an image for
// containers.
//
// What it promises: the same source, version and compiler give the same bytes,
// in whatever directory and at whatever time; it asks no network but for modules
// that are not there yet, and needs no other program than go.
package main

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A target is a machine we build for; Debian names them otherwise than Go.
type target struct{ arch, arm, debian string }

var targets = []target{{"amd64", "", "amd64"}, {"arm64", "", "arm64"}, {"arm", "7", "armhf"}}

func main() {
	source := flag.String("source", ".", "the module's directory")
	out := flag.String("out", "dist", "directory to write to")
	version := flag.String("version", "dev", "version to build in")
	only := flag.String("arch", "", "one of amd64, arm64, armhf; all when empty")
	roots := flag.String("roots", "", "PEM file of certificate authorities to put into the image")
	flag.Parse()
	if err := run(*source, *out, *version, *only, *roots); err != nil {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1)
	}
}

func run(source, out, version, only, roots string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	var ca []byte
	if roots != "" {
		b, err := os.ReadFile(roots)
		if err != nil {
			return err
		}
		ca = b
	}
	var sums strings.Builder
	for _, t := range targets {
		if only != "" && only != t.debian {
			continue
		}
		files, err := t.make(source, out, version, ca)
		if err != nil {
			return fmt.Errorf("%s: %w", t.debian, err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				return err
			}
			fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(b), filepath.Base(f))
			fmt.Println(f)
		}
	}
	return os.WriteFile(filepath.Join(out, "SHA256SUMS"), []byte(sums.String()), 0o644)
}

// make builds one target and what belongs to it.
func (t target) make(source, out, version string, ca []byte) (files []string, err error) {
	program, err := filepath.Abs(filepath.Join(out, "essaim-linux-"+t.debian))
	if err != nil {
		return nil, err
	}
	if err := t.build(source, program, version); err != nil {
		return nil, err
	}
	parts, err := sbom(program, version)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	image, err := t.image(b, ca, version)
	if err != nil {
		return nil, err
	}
	for name, content := range map[string][]byte{program + ".cdx.json": parts, program + ".oci.tar": image} {
		if err := os.WriteFile(name, content, 0o644); err != nil {
			return nil, err
		}
	}
	return []string{program, program + ".cdx.json", program + ".oci.tar"}, nil
}

// build compiles without what differs from machine to machine: paths, the state
// of the version control, the linker's own number.
func (t target) build(source, program, version string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-mod=readonly",
		"-ldflags", "-s -w -buildid= -X main.version="+version, "-o", program, "./cmd/essaim")
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+t.arch, "GOARM="+t.arm, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off")
	cmd.Stderr = os.Stderr
	return cmd.Run()
}
