#!/bin/sh
# byom-runc: the OCI runtime that dockerd calls for byom's instances. It is runc, with one addition:
# a container that has a restore marker comes up from a memory snapshot.
#
#   create ID  with STATE/restore/ID (the snapshot's directory; a second line `huge-pages` where they pay): put the snapshot's changed files into the
#              bundle's root, then `runc restore` in place of `runc create`. When that fails: clean up and create, so
#              that the container starts cold by itself, with the changed files in its root as after a restart.
#              STATE/outcome/ID says what happened and when.
#   start ID   of a restored container: nothing to do, it runs already.
#   delete ID  forgets the container.
#   all else   runc's.
#
# Standard input, output and error are the container's own: nothing here may write to them.
# POSIX sh with coreutils, GNU tar, findutils and util-linux: each interpreter started here costs every start its time.

runc=@runc@
state=@state@
huge_pages=@hugePages@
PATH=@path@:$PATH
export PATH
thp=@hugePagesDirectory@

# Writes a line with the time of /proc/uptime: seconds with two decimals, without starting a program.
say_when() {
  read -r uptime _ </proc/uptime
  printf '%s %s\n' "$1" "$uptime" >>"$outcome"
}

# Prints the value of a setting file such as `always [madvise] never`.
selected() {
  read -r words <"$1" || return 1
  words=${words#*\[}
  printf '%s' "${words%%\]*}"
}

# Filling memory with 2 MiB pages is several times faster than with 4 KiB pages. The setting is the whole host's, so it
# is changed only while a restore runs, and given back by the last of several that run at once. Restores that were
# killed are recognised by their process.
huge_pages_begin() {
  [ "$huge_pages$wish" = 1huge-pages ] && [ -w "$thp/enabled" ] && [ -w "$thp/defrag" ] || return 0
  (
    flock 9
    mkdir -p "$state/huge-pages/users"
    if [ ! -s "$state/huge-pages/saved" ]; then
      printf '%s %s\n' "$(selected "$thp/enabled")" "$(selected "$thp/defrag")" >"$state/huge-pages/saved"
    fi
    printf '%s\n' "$$" >"$state/huge-pages/users/$id"
    echo always >"$thp/enabled"
    echo always >"$thp/defrag"
  ) 9>"$state/lock" 2>/dev/null
  printf 'huge-pages on\n' >>"$outcome"
  return 0
}

huge_pages_end() {
  [ -d "$state/huge-pages" ] || return 0
  (
    flock 9
    rm -f "$state/huge-pages/users/$id"
    for user in "$state/huge-pages/users"/*; do
      [ -e "$user" ] || continue
      read -r pid <"$user" && [ -d "/proc/$pid" ] && exit 0
      rm -f "$user"
    done
    read -r enabled defrag <"$state/huge-pages/saved" || exit 0
    echo "$enabled" >"$thp/enabled"
    echo "$defrag" >"$thp/defrag"
    rm -rf "$state/huge-pages"
  ) 9>"$state/lock" 2>/dev/null
  return 0
}

# The bundle's root directory, absolute. config.json is one line; Docker names a path outside of the bundle.
root_of() {
  root=$(sed -n '1,/"root"/s/.*"root":{[^}]*"path":"\([^"]*\)".*/\1/p' "$1/config.json")
  case $root in
    '') return 1 ;;
    /*) printf '%s' "$root" ;;
    *) printf '%s' "$1/$root" ;;
  esac
}

# Puts the changed files of snapshot $1 into root $2. First what the container had deleted or replaced, parents first
# (NUL-separated paths relative to the root); then what it had written. GNU tar strips a leading slash, refuses `..` and
# replaces a symbolic link that stands where the archive has a directory, so nothing lands outside of the root.
apply_files() {
  if [ -s "$1/removed" ]; then
    grep -zqE '^/|(^|/)\.\.(/|$)' "$1/removed" && return 1
    (cd "$2" && xargs -0 rm -rf -- <"$1/removed") >>"$work/files.log" 2>&1 || return 1
  fi
  [ -s "$1/files.tar" ] || return 0
  tar --extract --file="$1/files.tar" --directory="$2" --numeric-owner --same-owner --same-permissions \
    --xattrs --xattrs-include='*' </dev/null >>"$work/files.log" 2>&1
}

# $@: the arguments of `create`. The same words, with `create` replaced, are the arguments of `restore`.
restore() {
  bundle= previous= command=
  for argument in "$@"; do
    shift
    if [ -z "$command" ] && [ "$argument" = create ]; then
      command=$argument
      set -- "$@" restore --detach --no-subreaper --tcp-established --file-locks \
        --image-path "$snapshot/images" --work-path "$work"
    else
      case $previous in --bundle | -b) bundle=$argument ;; esac
      set -- "$@" "$argument"
    fi
    previous=$argument
  done
  root=$(root_of "$bundle") || { reason='the bundle names no root directory'; return 1; }
  apply_files "$snapshot" "$root" || { reason='the changed files of the snapshot do not unpack'; return 1; }
  say_when files
  huge_pages_begin
  "$runc" "$@"
  code=$?
  say_when restore
  huge_pages_end
  [ "$code" = 0 ] && return 0
  reason="runc restore failed with exit code $code"
  return 1
}

# Options before the command that take a value; see `runc --help`.
command= skip=
for argument in "$@"; do
  if [ -n "$skip" ]; then
    skip=
    continue
  fi
  case $argument in
    --root | --log | --log-format | --criu | --rootless) skip=1 ;;
    -*) ;;
    *)
      command=$argument
      break
      ;;
  esac
done
case $command in
  create | start | delete) ;;
  *) exec "$runc" "$@" ;;
esac
for id in "$@"; do :; done
case $id in
  '' | .* | *[!A-Za-z0-9_.+-]*) exec "$runc" "$@" ;;
esac
marker=$state/restore/$id
restored=$state/restored/$id
outcome=$state/outcome/$id
work=$state/work/$id

case $command in
  start)
    [ -e "$restored" ] && exit 0
    exec "$runc" "$@"
    ;;
  delete)
    rm -rf "$marker" "$restored" "$outcome" "$work"
    exec "$runc" "$@"
    ;;
esac

[ -s "$marker" ] || exec "$runc" "$@"
umask 077
mkdir -p "$state/restored" "$state/outcome" "$work"
wish=
{ read -r snapshot; read -r wish; } <"$marker"
rm -f "$marker" "$restored"
: >"$outcome"
say_when begin
printf 'snapshot %s\n' "$snapshot" >>"$outcome"
if [ ! -d "$snapshot/images" ]; then
  reason='the snapshot is gone'
elif restore "$@"; then
  : >"$restored"
  printf 'result restored\n' >>"$outcome"
  exit 0
fi
{
  printf 'reason %s\n' "$reason"
  # What CRIU and tar said, one line each. That CRIU may not raise its own limit of open files harms nothing.
  grep -ahs 'Error' "$work/restore.log" | grep -v "Can't setup RLIMIT_NOFILE" | tail -n 4 | sed 's/^/detail /'
  tail -qn 4 "$work/files.log" 2>/dev/null | sed 's/^/detail /'
} >>"$outcome"
root_arguments=
previous=
for argument in "$@"; do
  case $previous in --root) root_arguments=$argument ;; esac
  previous=$argument
done
"$runc" ${root_arguments:+--root "$root_arguments"} delete --force "$id" </dev/null >/dev/null 2>&1
printf 'result cold\n' >>"$outcome"
say_when cold
exec "$runc" "$@"
