# SPDX-License-Identifier: GPL-3.0-or-later
# Completion of vdrive(1) for bash.

# Of all drives, or of those of a type.
_vdrive_names() {
	local IFS=$'\n'
	mapfile -t COMPREPLY < <(compgen -W "$(vdrive list -n -r -o NAME,TYPE 2>/dev/null | awk -v type="$2" '!type || $2 == type { print $1 }')" -- "$1")
}

_vdrive_files() {
	compopt -o filenames
	mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen "$1" -- "$2")
}

_vdrive_words() {
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

_vdrive_columns() {
	local head="" last=$1
	if [[ $1 == *,* ]]; then
		head=${1%,*},
		last=${1##*,}
	fi
	compopt -o nospace
	mapfile -t COMPREPLY < <(compgen -P "$head" -W "NAME TYPE SIZE RO STATE MOUNTPOINT IMAGE USED
		RATIO MEMORY DEVICE MEDIUM ENGINE BACKING SPILLED STORE PATH FORMAT
		FSTYPE LABEL VOLUME-ID VIEW SESSION SESSIONS OPTIONS OWNER UID PID READER-PID STARTED" -- "$last")
}

_vdrive() {
	local cur=$2 prev=$3 verb=${COMP_WORDS[1]} i arguments=0
	COMPREPLY=()

	if ((COMP_CWORD == 1)); then
		_vdrive_words "mount umount attach optical insert eject ramdisk swap detach list set info convert create verify help --help --version" "$cur"
		return
	fi
	for ((i = 2; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-n | --name | -o | --options | --output | --format | -t | --to | --track | --fs | --store | --limit | --engine | --backing | --backing-size | -p | --priority | --watchdog)
			[[ $verb == list && ${COMP_WORDS[i]} == -n ]] || ((i++))
			;;
		-*) ;;
		*) ((arguments++)) ;;
		esac
	done
	case $verb,$prev in
	mount,-o | mount,--options | info,-o | info,--options)
		compopt -o nospace
		_vdrive_words "udf iso9660 norock nojoliet streams unhide map=off check=relaxed session= uid= gid= mode= dmode= allow_other noexec" "$cur"
		return
		;;
	create,-m | create,--medium)
		_vdrive_words "dvd-ram dvd+rw bd-re" "$cur"
		return
		;;
	insert,-w | insert,--wav)
		_vdrive_files -f "$cur"
		return
		;;
	list,-o | list,--output)
		_vdrive_columns "$cur"
		return
		;;
	convert,-t | convert,--to)
		_vdrive_words "iso cue toc chd wav flac" "$cur"
		return
		;;
	convert,--track)
		return
		;;
	attach,--format)
		_vdrive_words raw "$cur"
		return
		;;
	ramdisk,-t | ramdisk,--fs)
		_vdrive_words "ext4 ext2 xfs btrfs f2fs vfat" "$cur"
		return
		;;
	ramdisk,--store)
		_vdrive_words "lz4 mem" "$cur"
		return
		;;
	swap,--engine)
		_vdrive_words "memdrive zram fuse" "$cur"
		return
		;;
	attach,-m | attach,--mount)
		_vdrive_files -d "$cur"
		return
		;;
	ramdisk,--engine)
		_vdrive_words "memdrive fuse" "$cur"
		return
		;;
	swap,--backing | ramdisk,--backing)
		_vdrive_files -f "$cur"
		return
		;;
	mount,-n | mount,--name | attach,-n | attach,--name | ramdisk,-n | ramdisk,--name | swap,-n | swap,--name | \
		*,--limit | *,--backing-size | swap,-p | swap,--priority | swap,--watchdog)
		return
		;;
	esac
	if [[ $cur == -* ]]; then
		case $verb in
		mount) _vdrive_words "--name --options --foreground --verbose --help" "$cur" ;;
		umount) _vdrive_words "--lazy --help" "$cur" ;;
		attach) _vdrive_words "--name --read-only --block --mount --partition --format --help" "$cur" ;;
		ramdisk) _vdrive_words "--name --fs --engine --store --limit --backing --backing-size --force --foreground --help" "$cur" ;;
		swap)
			if ((arguments == 0)); then
				_vdrive_words "--bytes --json --help" "$cur"
			else
				_vdrive_words "--name --engine --limit --backing --backing-size --priority --tune --watchdog --force --help" "$cur"
			fi
			;;
		optical) _vdrive_words "--foreground --lazy --help" "$cur" ;;
		create) _vdrive_words "--medium --help" "$cur" ;;
		insert) _vdrive_words "--replace --writable --wav --help" "$cur" ;;
		eject) _vdrive_words "--force --help" "$cur" ;;
		detach) _vdrive_words "--all --lazy --help" "$cur" ;;
		list) _vdrive_words "--bytes --json --noheadings --output --output-all --raw --help" "$cur" ;;
		set) _vdrive_words "--json --noheadings --help" "$cur" ;;
		info) _vdrive_words "--options --json --help" "$cur" ;;
		convert) _vdrive_words "--to --track --force --quiet --help" "$cur" ;;
		verify) _vdrive_words "--json --quiet --help" "$cur" ;;
		esac
		return
	fi
	case $verb in
	mount)
		if ((arguments == 0)); then
			_vdrive_files -f "$cur"
		else
			_vdrive_files -d "$cur"
		fi
		;;
	ramdisk)
		# SIZE, then DIR.
		((arguments == 0)) || _vdrive_files -d "$cur"
		;;
	swap)
		if ((arguments == 0)); then
			_vdrive_words "on off" "$cur"
		elif [[ ${COMP_WORDS[2]} == off ]]; then
			_vdrive_names "$cur" swap
		fi
		;;
	optical)
		if ((arguments == 0)); then
			_vdrive_words "add remove" "$cur"
		elif [[ ${COMP_WORDS[2]} == remove ]]; then
			_vdrive_names "$cur" cdrom
		fi
		;;
	insert)
		if ((arguments == 0)); then
			_vdrive_files -f "$cur"
		else
			_vdrive_names "$cur" cdrom
		fi
		;;
	eject)
		_vdrive_names "$cur" cdrom
		;;
	info | attach | convert | create | verify)
		_vdrive_files -f "$cur"
		;;
	umount)
		_vdrive_names "$cur"
		_vdrive_files -d "$cur"
		;;
	detach)
		_vdrive_names "$cur"
		_vdrive_files -f "$cur"
		;;
	list)
		_vdrive_names "$cur"
		;;
	set)
		if ((arguments == 0)); then
			_vdrive_names "$cur"
		else
			compopt -o nospace
			_vdrive_words "$(vdrive set -n "${COMP_WORDS[2]}" 2>/dev/null | awk '{print $1}')" "$cur"
		fi
		;;
	help)
		_vdrive_words "mount umount attach optical insert eject ramdisk swap detach list set info convert create verify" "$cur"
		;;
	esac
}

complete -F _vdrive vdrive
