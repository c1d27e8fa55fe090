// Where the server listens: a Unix socket in a folder of its own, or loopback.

package rendezvous

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	folderPattern = "gpubench-rv-*"
	socketName    = "s"
	maxSocketPath = 100 // the kernel's limit is 107 bytes
)

// door is an open listener and how a PE finds it.
type door struct {
	net.Listener
	address string
	folder  *os.File // locked as long as its owner lives; nil without one
}

// openDoor listens in the first of the folders where a Unix socket can be made, else on loopback.
func openDoor(parents ...string) (*door, error) {
	var errs []error
	for _, p := range parents {
		sweep(p)
		d, err := unixDoor(p)
		if err == nil {
			return d, nil
		}
		errs = append(errs, err)
	}
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", at)
		if err == nil {
			return &door{Listener: l, address: "tcp:" + l.Addr().String()}, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// unixDoor makes a folder that this user alone can enter, and a socket in it.
func unixDoor(parent string) (*door, error) {
	for range 3 {
		dir, err := os.MkdirTemp(parent, folderPattern)
		if err != nil {
			return nil, err
		}
		f, err := lockFolder(dir)
		if err != nil {
			_ = os.Remove(dir)
			return nil, err
		}
		if f == nil {
			continue // swept away before it was locked
		}
		path := filepath.Join(dir, socketName)
		if len(path) > maxSocketPath {
			err = &net.AddrError{Err: "path too long for a socket", Addr: path}
		}
		var l net.Listener
		if err == nil {
			l, err = net.Listen("unix", path)
		}
		if err != nil {
			_ = os.Remove(dir)
			_ = f.Close()
			return nil, err
		}
		return &door{Listener: l, address: "unix:" + path, folder: f}, nil
	}
	return nil, errors.New("the folder of the socket is removed as soon as it is made")
}

// lockFolder opens a folder and locks it; nil where it is another's, or not there any more.
func lockFolder(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), dir)
	var mine, there unix.Stat_t
	err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		err = unix.Fstat(fd, &mine)
	}
	if err == nil {
		err = unix.Lstat(dir, &there)
	}
	if err == nil && mine.Ino == there.Ino && mine.Dev == there.Dev {
		return f, nil
	}
	_ = f.Close()
	if err == nil || errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	return nil, err
}

// sweep removes the folders that servers left which were killed before all of their PEs had come. Each living server
// holds a lock on its own.
func sweep(parent string) {
	stale, _ := filepath.Glob(filepath.Join(parent, folderPattern))
	for _, dir := range stale {
		st, err := os.Lstat(dir)
		if err != nil || !st.IsDir() || st.Sys().(*syscall.Stat_t).Uid != uint32(os.Geteuid()) {
			continue
		}
		f, err := lockFolder(dir)
		if err != nil || f == nil {
			continue
		}
		_ = os.Remove(filepath.Join(dir, socketName))
		_ = os.Remove(dir) // not with what is in it: nothing else of ours is
		_ = f.Close()
	}
}

// Close stops listening, and removes socket and folder.
func (d *door) Close() error {
	err := d.Listener.Close() // removes a Unix socket
	if d.folder != nil {
		err = errors.Join(err, os.Remove(d.folder.Name()), d.folder.Close())
	}
	return err
}
