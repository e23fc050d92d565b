// Package landlock lets a process give up what it does not need: most of the
// file system, and ports (Linux's Landlock, kernel documentation
// userspace-api/landlock).
//
// What it promises: after Restrict, the whole process, every thread of it and
// whatever it could start, reads and writes only below the paths that were
// named, executes nothing, binds no TCP port and connects to none but those
// named. What is open stays open. It cannot be undone. A kernel restricts what
// it knows to restrict; Restrict says how much that was. Sockets of Multipath
// TCP are not covered.
package landlock

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrUnsupported says that this kernel, or this build of the program, cannot.
var ErrUnsupported = errors.New("landlock is not supported here")

// A Need is what a process goes on to use.
type Need struct {
	Write   []string // files and folders to read and change, with all below
	Read    []string // to read
	Connect []uint16 // TCP ports; kernels before 6.7 do not restrict them
}

const (
	read  = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	write = read | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK |
		unix.LANDLOCK_ACCESS_FS_REFER | unix.LANDLOCK_ACCESS_FS_TRUNCATE
	onFiles = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE

	// What the first version restricts beside write: to execute, and to make
	// devices, pipes and symbolic links.
	first = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_SYM
)

// ruleNetPort is LANDLOCK_RULE_NET_PORT.
const ruleNetPort = 2

// handled is what a version of the interface can restrict.
func handled(version int) unix.LandlockRulesetAttr {
	a := unix.LandlockRulesetAttr{Handled_access_fs: first | write}
	if version < 2 {
		a.Handled_access_fs &^= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if version < 3 {
		a.Handled_access_fs &^= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if version >= 4 {
		a.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	return a
}

// Restrict gives up everything but the need, and returns the version of the
// kernel's interface. Paths that are not there are left out.
func Restrict(n Need) (version int, err error) {
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0, fmt.Errorf("%w: %w", ErrUnsupported, errno)
	}
	version = int(v)
	attr := handled(version)
	// Fields that an older kernel does not know are zero, which it takes.
	set, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return 0, fmt.Errorf("landlock: %w", errno)
	}
	defer unix.Close(int(set))
	if err := addAll(int(set), attr, n); err != nil {
		return 0, err
	}
	return version, enforce(set)
}

func addAll(set int, attr unix.LandlockRulesetAttr, n Need) error {
	for access, paths := range map[uint64][]string{read & attr.Handled_access_fs: n.Read, write & attr.Handled_access_fs: n.Write} {
		for _, p := range paths {
			if err := addPath(set, p, access); err != nil && !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("landlock: %s: %w", p, err)
			}
		}
	}
	if attr.Handled_access_net == 0 {
		return nil
	}
	for _, port := range n.Connect {
		rule := struct{ access, port uint64 }{unix.LANDLOCK_ACCESS_NET_CONNECT_TCP, uint64(port)}
		if err := add(set, ruleNetPort, unsafe.Pointer(&rule)); err != nil {
			return fmt.Errorf("landlock: port %d: %w", port, err)
		}
	}
	return nil
}

func addPath(set int, path string, access uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		access &= onFiles
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(fd)}
	return add(set, unix.LANDLOCK_RULE_PATH_BENEATH, unsafe.Pointer(&rule))
}

func add(set, kind int, rule unsafe.Pointer) error {
	if _, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(set), uintptr(kind), uintptr(rule), 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// enforce restricts every thread: the kernel's call is for one, and Go's
// goroutines run on any. A program with C in it cannot be reached this way.
func enforce(set uintptr) error {
	if _, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); errno != 0 {
		if errno == syscall.ENOTSUP {
			return fmt.Errorf("%w: the program is built with cgo", ErrUnsupported)
		}
		return fmt.Errorf("landlock: no new privileges: %w", errno)
	}
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, set, 0, 0); errno != 0 {
		return fmt.Errorf("landlock: %w", errno)
	}
	return nil
}
