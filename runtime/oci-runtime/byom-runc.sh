#!/bin/sh
# byom-runc: the OCI runtime that dockerd calls for byom's instances. It is runc, with one addition:
# a container that has a restore marker comes up from a memory snapshot.
#
#   create ID   with STATE/restore/ID (the snapshot's directory; a second line `huge-pages` where they pay) and without
#               STATE/outcome/ID: put the snapshot's changed files into the bundle's root, then `runc restore` in place
#               of `runc create`. Whatever fails, hangs or is killed in it: remove what it left, take the changed files
#               out of the root again, and create, once: the same container starts cold by itself.
#   start ID    of a restored container: nothing to do, it runs already.
#   delete ID   removes what an unfinished restore left, then the container, then forgets it.
#   byom-sweep  removes what unfinished restores of killed wrappers left, in all containers.
#   byom-forget ID  removes everything of a container that the engine does not know any more.
#   all else    runc's.
#
# STATE/outcome/ID is the log of the decisions on one container: lines `word value`. A word with a time
# (`begin files criu restore cold`) has the seconds of /proc/uptime; the others happened with the line before.
#
# Who cleans what:
#   the platform  writes the marker (and takes a former outcome away), reads the outcome and removes both after the start;
#                 removes the container when the engine's start fails, which ends in `delete`, and calls `byom-forget`
#                 where it did not: an engine that died in the start never calls us again. Calls `byom-sweep` when it
#                 opens its snapshots, so that what was killed together with it goes too.
#   the wrapper   all else, in `create`, or if it was killed in that, in `delete` or the next `create`: runc, CRIU and
#                 half-restored processes, cgroups, CRIU's bind mount of the root, huge pages, STATE/{restored,work}.
#                 `delete` keeps the outcome of a restore that failed: nobody may have read it yet. `byom-sweep` removes
#                 words that are older than an hour.
#
# Standard input, output and error are the container's own: nothing here may write to them.
# POSIX sh with coreutils, GNU tar, findutils and util-linux: each program started here costs every start its time.

runc=@runc@
state=@state@
huge_pages=@hugePages@
PATH=@path@:$PATH
export PATH
thp=@hugePagesDirectory@
# A restore that takes longer than this many seconds hangs.
restore_seconds_max=@restoreSeconds@

# Writes a line with the time of /proc/uptime: seconds with two decimals, without starting a program.
say_when() {
  read -r uptime _ </proc/uptime
  printf '%s %s\n' "$1" "$uptime" >>"$outcome"
}

# Puts the chosen value of a setting file such as `always [madvise] never` into $selected.
select_of() {
  read -r selected <"$1" || return 1
  selected=${selected#*\[}
  selected=${selected%%\]*}
}

# Filling memory with 2 MiB pages is several times faster than with 4 KiB pages. The setting is the whole host's, so it
# is changed only while a restore runs, and given back by the last of several that run at once. Restores that were
# killed are recognised by their process.
huge_pages_begin() {
  [ "$huge_pages$wish" = 1huge-pages ] && [ -w "$thp/enabled" ] && [ -w "$thp/defrag" ] || return 0
  exec 9>"$state/lock"
  flock 9
  [ -d "$state/huge-pages/users" ] || mkdir -p "$state/huge-pages/users"
  if [ ! -s "$state/huge-pages/saved" ]; then
    select_of "$thp/enabled" && enabled=$selected && select_of "$thp/defrag" &&
      printf '%s %s\n' "$enabled" "$selected" >"$state/huge-pages/saved"
  fi
  printf '%s\n' "$$" >"$state/huge-pages/users/$id"
  echo always >"$thp/enabled"
  echo always >"$thp/defrag"
  exec 9>&-
  printf 'huge-pages on\n' >>"$outcome"
  return 0
}

# Without $id: gives the setting back if all users are dead.
huge_pages_end() {
  [ -d "$state/huge-pages" ] || return 0
  exec 9>"$state/lock"
  flock 9
  in_use=
  for user in "$state/huge-pages/users"/*; do
    [ "$user" != "$state/huge-pages/users/$id" ] && read -r pid <"$user" && [ -d "/proc/$pid" ] && in_use=1
  done
  if [ -n "$in_use" ]; then
    rm -f "$state/huge-pages/users/$id"
  elif read -r enabled defrag <"$state/huge-pages/saved"; then
    echo "$enabled" >"$thp/enabled"
    echo "$defrag" >"$thp/defrag"
    rm -rf "$state/huge-pages"
  fi
  exec 9>&-
  return 0
}

# Puts the bundle's root directory into $root, absolute. config.json is one line; Docker names a path outside of the
# bundle.
find_root() {
  root=$(sed -n '1,/"root"/s/.*"root":{[^}]*"path":"\([^"]*\)".*/\1/p' "$1/config.json")
  case $root in
    '') return 1 ;;
    /*) ;;
    *) root=$1/$root ;;
  esac
}

# Whether every path of the NUL-separated list $1 lies in $root when symbolic links on the way to it are followed. A link
# such as /data -> /etc, of the image or of the changed files, would make `rm` delete files of the host.
stays_inside() {
  ! (cd "$root" && xargs -0r dirname -z -- <"$1" | sort -zu | xargs -0r realpath -zqm --relative-base=. --) |
    grep -zq '^/'
}

# Puts the changed files of snapshot $1 into $root. First what the container had deleted or replaced, parents first
# (NUL-separated paths relative to the root); then what it had written. GNU tar strips a leading slash, refuses `..` and
# replaces a symbolic link that stands where the archive has a directory, so nothing lands outside of the root.
apply_files() {
  [ -s "$1/removed" ] || [ -s "$1/files.tar" ] || return 0
  : >"$work/applied"
  if [ -s "$1/removed" ]; then
    grep -zqE '^/|(^|/)\.\.(/|$)' "$1/removed" && return 1
    stays_inside "$1/removed" || return 1
    cp "$1/removed" "$work/removed" || return 1
    (cd "$root" && xargs -0 rm -rf -- <"$1/removed") >>"$work/files.log" 2>&1 || return 1
  fi
  [ -s "$1/files.tar" ] || return 0
  tar --extract --file="$1/files.tar" --directory="$root" --numeric-owner --same-owner --same-permissions \
    --xattrs --xattrs-include='*' </dev/null >>"$work/files.log" 2>&1
}

# Makes $root again what the image says, after changed files came into it: the lower layers of the overlay still have
# it all. What lies in the upper directory of a container that never ran came from the snapshot. Everything goes through
# the overlay itself; $work/removed has the paths that had been removed.
undo_files() {
  options=
  while read -r _ _ _ _ point rest; do
    case $point$rest in "$root"*' - overlay '*) [ "$point" != "$root" ] || options=${rest##* } ;; esac
  done </proc/self/mountinfo
  case $options in *lowerdir=*) ;; *) return 1 ;; esac
  upper=${options##*upperdir=}
  upper=${upper%%,*}
  lower=${options##*lowerdir=}
  lower=${lower%%,*}
  view=$work/lower
  # Docker shortens long lists to paths below its overlay2 directory.
  cd "${upper%/*/*}" || return 1
  case $lower in
    *:*) mkdir -p "$view" && mount -t overlay -o "ro,lowerdir=$lower" overlay "$view" || return 1 ;;
    *) view=$lower ;;
  esac
  (
    [ -e "$work/removed" ] && stays_inside "$work/removed" || : >"$work/removed"
    cd "$upper" && find . -mindepth 1 -print0 >"$work/written" &&
      find . -mindepth 1 ! -type d -print0 >"$work/files" &&
      find . -mindepth 1 -depth -type d -print0 >"$work/directories" &&
      (root=$view && stays_inside "$work/written" && stays_inside "$work/removed") &&
      cd "$root" && xargs -0r rm -rf -- <"$work/removed" && xargs -0r rm -f -- <"$work/files" || exit 1
    xargs -0r rmdir --ignore-fail-on-non-empty -- <"$work/directories"
    cd "$view" && copy_back "$work/removed" --recursion && copy_back "$work/written" --no-recursion
  ) >>"$work/files.log" 2>&1
  code=$?
  cd /
  [ "$view" = "$lower" ] || umount -l "$view"
  return "$code"
}

# Copies those of the NUL-separated paths in file $1 that exist here into $root; $2 says whether with what is in them.
copy_back() {
  # shellcheck disable=SC2016
  xargs -0r sh -c 'for path; do [ ! -e "$path" ] && [ ! -L "$path" ] || printf "%s\0" "$path"; done' - \
    <"$1" >"$work/known" || return 1
  [ -s "$work/known" ] || return 0
  {
    tar --create "$2" --null --verbatim-files-from --files-from="$work/known" --numeric-owner --xattrs \
      --xattrs-exclude='trusted.*' || : >"$work/failed"
  } | tar --extract --directory="$root" --numeric-owner --same-owner --same-permissions --xattrs \
    --xattrs-include='*' && [ ! -e "$work/failed" ]
}

# Ends everything of an unfinished restore: runc (by its arguments), CRIU and what it has restored (they are in the
# container's cgroups from the start), and removes the cgroups and the bind mount of the container's root. That must be
# gone before `runc delete`, which would else delete the files in it. Kills again until nothing is left: a process may
# have been forked meanwhile.
end_restore() {
  killed=
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    left=
    for process in $(grep -lzxF -e "$work" /proc/[0-9]*/cmdline); do
      process=${process#/proc/}
      kill -9 "${process%/cmdline}" && left=1 killed=1
    done
    for cgroup in $(find /sys/fs/cgroup -depth -type d \
      \( -name "$id" -o -name "*-$id.scope" -o -path "*[/-]$id[/.]*" \)); do
      while read -r process; do
        kill -9 "$process" && killed=1
      done <"$cgroup/cgroup.procs"
      [ ! -w "$cgroup/freezer.state" ] || echo THAWED >"$cgroup/freezer.state"
      rmdir "$cgroup" || left=1
    done
    [ -n "$left" ] || break
    sleep 0.05
  done
  # CRIU's bind mount of the root, its view of the cgroups in the work directory, and ours of the lower layers: `rm` would
  # delete what is in them. Lazily: what is mounted below goes with its parent.
  set --
  while read -r _ _ _ _ mount _; do
    case $mount in */"$id/criu-root" | "$work"/*) set -- "$@" "$mount" ;; esac
  done </proc/self/mountinfo
  for mount; do umount -l "$mount"; done
  huge_pages_end
  [ -z "$killed" ] || [ ! -e "$outcome" ] || printf 'cleaned processes that were left\n' >>"$outcome"
  return 0
}

# Ends the wrapper and the shim of a container that the engine has forgotten, and removes its bundle: after a kill in the
# middle of a start containerd does not find such a shim again. A shim runs in its bundle's directory.
end_shim() {
  for process in $(grep -lzxF -e "$id" /proc/[0-9]*/cmdline); do
    process=${process#/proc/}
    process=${process%/cmdline}
    read -r name <"/proc/$process/comm"
    case $name in
      byom-runc*) kill -9 "$process" ;;
      containerd-shim*)
        bundle=$(readlink "/proc/$process/cwd")
        kill -9 "$process"
        case $bundle in
          */"$id")
            umount -l "$bundle/rootfs"
            rm -rf --one-file-system "$bundle"
            ;;
        esac
        ;;
    esac
  done
}

# Removes what an unfinished restore left, but for the words about it.
clean_up() {
  end_restore
  "$runc" --root "$runc_root" delete --force "$id" </dev/null >/dev/null
  [ -e "$work/applied" ] && read -r root <"$work/root" || return 0
  if undo_files; then
    printf 'undone the changed files are out of the root again\n' >>"$outcome"
  else
    printf 'undone the changed files stay in the root, as after a restart\n' >>"$outcome"
  fi
}

# $@: the arguments of `create`. The same words, with `create` replaced, are the arguments of `restore`.
restore() {
  bundle= previous= command= pid_file=
  for argument in "$@"; do
    shift
    if [ -z "$command" ] && [ "$argument" = create ]; then
      command=$argument
      set -- "$@" restore --detach --no-subreaper --tcp-established --file-locks \
        --image-path "$snapshot/images" --work-path "$work"
    else
      case $previous in
        --bundle | -b) bundle=$argument ;;
        --pid-file) pid_file=$argument ;;
      esac
      set -- "$@" "$argument"
    fi
    previous=$argument
  done
  find_root "$bundle" || { reason='the bundle names no root directory'; return 1; }
  printf '%s\n%s\n' "$root" "$$" >"$work/root"
  apply_files "$snapshot" || { reason='the changed files of the snapshot do not unpack'; return 1; }
  say_when files
  huge_pages_begin
  say_when criu
  timeout --foreground --signal=KILL "$restore_seconds_max" "$runc" "$@" 2>&3 3>&-
  code=$?
  say_when restore
  if [ "$code" != 0 ]; then
    reason=$(reason_of "$code")
    # runc writes it under a name with a dot and renames it; it refuses to write over what a killed one left.
    [ -z "$pid_file" ] || rm -f "$pid_file" "${pid_file%/*}/.${pid_file##*/}"
    return 1
  fi
  huge_pages_end
}

reason_of() {
  case $1 in
    137) printf 'runc restore was killed, or hung for %s seconds' "$restore_seconds_max" ;;
    *) printf 'runc restore failed with exit code %s' "$1" ;;
  esac
}

# Options before the command that take a value; see `runc --help`.
command= previous= runc_root=/run/runc
for argument in "$@"; do
  case $previous in
    --root) runc_root=$argument ;;
    --log | --log-format | --criu | --rootless) ;;
    *)
      case $argument in
        -*) ;;
        *)
          command=$argument
          break
          ;;
      esac
      ;;
  esac
  previous=$argument
  case $argument in --root=*) runc_root=${argument#--root=} ;; esac
done

name_files() {
  marker=$state/restore/$id
  restored=$state/restored/$id
  outcome=$state/outcome/$id
  work=$state/work/$id
}

case $command in
  create | start | delete) ;;
  byom-sweep)
    exec </dev/null >/dev/null 2>&1
    for work in "$state"/work/*; do
      id=${work##*/}
      name_files
      [ -e "$work/root" ] && [ ! -e "$restored" ] || continue
      { read -r root; read -r pid; } <"$work/root"
      grep -qzxF -e "$id" "/proc/$pid/cmdline" && continue
      clean_up
      rm -rf "$marker" "$work"
    done
    for word in $(find "$state/restore" "$state/restored" "$state/outcome" "$state/work" -mindepth 1 -maxdepth 1 \
      -mmin +60); do
      [ -d "$runc_root/${word##*/}" ] || rm -rf "$word"
    done
    id=
    huge_pages_end
    exit 0
    ;;
  byom-forget)
    exec </dev/null >/dev/null 2>&1
    for id in "$@"; do :; done
    [ "${#id}" -ge 32 ] || exit 1
    name_files
    end_shim
    end_restore
    "$runc" --root "$runc_root" delete --force "$id"
    rm -rf "$marker" "$marker.new" "$restored" "$outcome" "$work"
    exit 0
    ;;
  *) exec "$runc" "$@" ;;
esac
for id in "$@"; do :; done
case $id in
  '' | .* | *[!A-Za-z0-9_.+-]*) exec "$runc" "$@" ;;
esac
# Docker's have 64 characters; a short one could be the name of a cgroup that is not the container's.
[ "${#id}" -ge 32 ] || exec "$runc" "$@"
name_files

case $command in
  start)
    [ -e "$restored" ] && exit 0
    exec "$runc" "$@"
    ;;
  delete)
    exec 3>&2 2>/dev/null
    if [ -e "$restored" ]; then
      rm -rf "$marker" "$restored" "$outcome" "$work"
    elif [ -e "$work/root" ]; then
      clean_up
      rm -rf "$marker" "$work"
    else
      # A runc that was killed in an ordinary `create` left no state by which it could remove its cgroups.
      [ -e "$runc_root/$id/state.json" ] || end_restore
      [ ! -e "$marker" ] && [ ! -d "$work" ] || rm -rf "$marker" "$work"
    fi
    exec "$runc" "$@" 2>&3 3>&-
    ;;
esac

if [ ! -s "$marker" ] || [ -e "$outcome" ]; then
  [ -e "$work/root" ] || [ -e "$restored" ] || exec "$runc" "$@"
fi
umask 077
exec 3>&2 2>/dev/null
if [ -e "$work/root" ]; then
  # A wrapper was killed in a restore, and nobody has deleted the container.
  [ -e "$restored" ] || clean_up
  rm -rf "$work"
fi
[ ! -e "$restored" ] || rm -f "$restored"
if [ ! -s "$marker" ] || [ -e "$outcome" ]; then
  exec "$runc" "$@" 2>&3 3>&-
fi
for directory in "$state/restored" "$state/outcome" "$work"; do
  [ -d "$directory" ] || mkdir -p "$directory"
done
wish=
{ read -r snapshot; read -r wish; } <"$marker"
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
  tail -qn 4 "$work/files.log" | sed 's/^/detail /'
} >>"$outcome"
clean_up
rm -f "$work/root" "$work/applied"
printf 'result cold\n' >>"$outcome"
say_when cold
exec "$runc" "$@" 2>&3 3>&-
