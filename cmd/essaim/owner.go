package main

import (
	"errors"
	"io/fs"
	"os"
	osuser "os/user"
	"strconv"
	"syscall"
)

// serviceUser is who the service runs as where the package made such a user.
const serviceUser = "essaim"

// handToService gives what root has just set up to the service's user, if there
// is one: the data is its own, the configuration it can read.
func handToService(data string, readable ...string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := osuser.Lookup(serviceUser)
	if err != nil {
		return nil //nolint:nilerr // no such user: root keeps what it made
	}
	uid, errUID := strconv.Atoi(u.Uid)
	gid, errGID := strconv.Atoi(u.Gid)
	if err := errors.Join(errUID, errGID, giveAll(data, uid, gid)); err != nil {
		return err
	}
	for _, path := range readable {
		if path != "" {
			if err := os.Chown(path, 0, gid); err != nil {
				return err
			}
		}
	}
	return nil
}

// handBack gives what root made in somebody else's data directory to whom the
// directory belongs, so that the server can still open its store.
func handBack(data string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(data)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Uid == 0 {
		return nil
	}
	return giveAll(data, int(st.Uid), int(st.Gid))
}

// giveAll gives what root has made below a directory to a user. The directory may
// be that user's own and change meanwhile: no link leads out of it, and what has
// another name elsewhere stays root's.
func giveAll(dir string, uid, gid int) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // gone meanwhile
			return nil
		}
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return nil //nolint:nilerr // gone meanwhile
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok || st.Uid != 0 || !d.IsDir() && st.Nlink > 1 {
			return nil
		}
		return root.Lchown(path, uid, gid)
	})
}
