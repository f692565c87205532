#!/usr/bin/env perl
# A worker in Perl, written from src/worker/PROTOCOL.md alone and with core modules alone. One lane, no programs.
#
# usage: foreign.pl started|nothing __worker LINE PARENT    (the first says how it tells which task it is in)
use strict;
use warnings;
no warnings 'portable';    # a Perl with integers of 64 bits
use IO::Poll qw(POLLHUP POLLERR);
use JSON::PP;
use POSIX ();
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC CLOCK_PROCESS_CPUTIME_ID);

my %SENT     = (hello => 1, done => 2, failed => 3, skipped => 4, initialized => 5, result => 6, started => 7);
my $LONGEST  = 1 << 20;
my $tells    = shift // '';
my $json     = JSON::PP->new->utf8->allow_nonref;
my $incoming = '';
my ($setup, $ended, $retired, @kept, @runs, %class, %bytes, %open);
my %at = (records => [], frames => '');    # what is to be reported: records of one `done`, whole frames before them

refuse('usage: foreign.pl started|nothing __worker LINE PARENT') unless $tells =~ /^(started|nothing)$/;
open my $socket, '+<&=', 3 or refuse("descriptor 3: $!");
fill() until $setup || $ended;
while (!$retired) {
    if    (@runs)  { work(shift @runs) }
    elsif ($ended) { last }
    else           { fill() }
}
exit 0;

sub refuse { print STDERR "@_\n"; exit 2 }

# An NV of this size would be written as 1.2e+15 in JSON.
sub integer { unpack 'Q', pack 'Q', $_[0] }
sub now     { integer(clock_gettime(CLOCK_MONOTONIC) * 1e9) }
sub cpu     { integer(clock_gettime(CLOCK_PROCESS_CPUTIME_ID) * 1e9) }

# Reads and understands what has come; waits for more if `$wait` is not 0.
sub fill {
    my ($wait) = @_;
    vec(my $ready = '', 3, 1) = 1;
    return if $ended || !select $ready, undef, undef, $wait;
    my $read = sysread $socket, $incoming, $LONGEST, length $incoming;
    refuse("socket: $!") unless defined $read;
    $ended = 1 unless $read;
    while (length $incoming >= 8) {
        my ($length, $kind, $flags, $lane) = unpack 'VCCv', $incoming;
        refuse("a frame of $length bytes") if $length > $LONGEST;
        last if length $incoming < 8 + $length;
        refuse("lane $lane") if $lane;
        my $payload = substr $incoming, 8, $length;
        substr($incoming, 0, 8 + $length) = '';
        understand($kind, $flags, $payload);
    }
}

sub understand {
    my ($kind, $flags, $payload) = @_;
    refuse("kind $kind before setup") unless $setup || $kind == 1;
    if ($kind == 1) {
        $setup = $json->decode($payload);
        refuse("protocol $setup->{protocol}") unless $setup->{protocol} == 2;
        frame('hello', $json->encode({ protocol => 2, pid => $$, lanes => 1, tells => $tells }));
        flush_all();
    } elsif ($kind == 2) {
        $class{ unpack 'v', $payload } = $json->decode(substr $payload, 2);
    } elsif ($kind == 3) {
        refuse('malformed tasks') if !length $payload || length($payload) % 24;
        push @runs, map { [unpack 'QVvvQ', $_] } unpack '(a24)*', $payload;
    } elsif ($kind == 4) {
        initialize($json->decode($payload));
    } elsif ($kind == 5) {
        my $index = unpack 'Q', $payload;
        $bytes{$index} = '' unless $open{$index};    # not the bytes of an earlier attempt
        $bytes{$index} .= substr $payload, 8;
        $open{$index} = $flags & 1;
    } elsif ($kind == 6) {
        $retired = 1;
    } else {
        refuse("kind $kind");
    }
}

sub initialize {
    my ($what) = @_;
    my ($wall, $cpu) = (now(), cpu());
    1 while cpu() - $cpu < ($what->{cpu_ns} // 0);
    push @kept, "\1" x ($what->{memory_bytes} // 0);
    my $fails = unit(9, $what->{start} // 0, 0) < ($what->{fail_rate} // 0);
    open my $statm, '<', '/proc/self/statm' or refuse("statm: $!");
    my $rss = (split ' ', <$statm>)[1] * POSIX::sysconf(POSIX::_SC_PAGESIZE());
    my %answer = (wall_ns => now() - $wall, cpu_ns => cpu() - $cpu, rss_bytes => $rss);
    $answer{error} = 'this start was to fail' if $fails;
    frame('initialized', $json->encode(\%answer));
    flush_all();
    exit 1 if $fails;
}

# Does a run of tasks, as long as nothing asks the worker to leave, and reports each before the next.
sub work {
    my ($first, $count, $class, $attempt, $begin_by) = @{ $_[0] };
    for my $index ($first .. $first + $count - 1) {
        fill(0);
        return if $retired;
        my $start = now();
        if ($begin_by && $start >= $begin_by) {
            my $left = $first + $count - $index;
            delete @bytes{ $index .. $index + $left - 1 };
            frame('skipped', pack 'QQ', $index, $left);
            return flush_all();
        }
        if ($tells eq 'started') {
            tell_all(pack('VCCv', 24, $SENT{started}, 0, 0) . pack 'QQVV', $index, $start, 0, 0);
        }
        my $faults = faults($index, $attempt, $class);
        my ($value, $message) = task($class{$class}, $index, delete $bytes{$index});
        my $service = now() - $start;
        if (defined $message) {
            my %failed = (index => $index, start => $start, service => $service, message => $message, exit => undef);
            frame('failed', $json->encode(\%failed));
        } else {
            push @{ $at{records} }, pack 'QQQQ', $index, $start, $service, $faults ? ~$value : $value;
        }
        flush_all();
    }
}

# Value and message of a task: the one or the other. Noop, Echo and a constant Sleep are known.
sub task {
    my ($class, $index, $bytes) = @_;
    return hash_of($bytes // ''), undef, defined $bytes && give_back($index, $bytes) if !ref $class && $class eq 'Echo';
    if (ref $class && ($class->{Kernel} // '') eq 'Noop') { return $index }
    if (ref $class && ref $class->{Sleep} && (my $time = $class->{Sleep}{Constant})) {
        pause($time->{secs} + $time->{nanos} / 1e9);
        return $time->{secs} * 1_000_000_000 + $time->{nanos};
    }
    return undef, 'not known to the worker in Perl: ' . $json->encode($class);
}

# Sleeps, but not beyond the end of the parent. That it has no more to say is no such end: POLLHUP wants both directions.
sub pause {
    my ($seconds) = @_;
    my $until = clock_gettime(CLOCK_MONOTONIC) + $seconds;
    my $poll  = IO::Poll->new;
    $poll->mask($socket => POLLHUP | POLLERR);
    while ((my $left = $until - clock_gettime(CLOCK_MONOTONIC)) > 0) {
        if ($left < 0.002) { Time::HiRes::sleep($left) }
        elsif ($poll->poll($left > 1000 ? 1000 : $left - 0.001) > 0) { exit 0 }
    }
}

sub give_back {
    my ($index, $bytes) = @_;
    my $most = $LONGEST - 8;
    do {
        my $piece = substr $bytes, 0, $most, '';
        frame('result', pack('Q', $index) . $piece, length $bytes ? 1 : 0);
    } while length $bytes;
}

# Does the faults of this attempt; true if its value is to be a bad one.
sub faults {
    my ($index, $attempt, $class) = @_;
    my ($n, $bad) = (-1, 0);
    for my $fault (@{ $setup->{faults} // [] }) {
        $n++;
        my ($kind, $at) = @$fault{qw(kind at)};
        next if defined $fault->{class} && $fault->{class} != $class;
        next unless defined $at->{index} ? $at->{index} == $index : unit(8, $index, $attempt * 65536 + ($fault->{draw} // $n)) < $at->{rate};
        my $more = ref $kind ? (values %$kind)[0] : undef;
        ($kind) = keys %$kind if ref $kind;
        if    ($kind eq 'leak')           { push @kept, "\1" x $more }
        elsif ($kind eq 'crash')          { $SIG{$_} = 'DEFAULT' for qw(ABRT TERM); kill $more, $$; pause(1e9) }
        elsif ($kind eq 'exit')           { POSIX::_exit($more) }
        elsif ($kind eq 'hang')           { pause(1e9) }
        elsif ($kind eq 'ignore_sigterm') { $SIG{TERM} = 'IGNORE' }
        elsif ($more eq 'wrong')          { $bad = 1 }
        elsif ($kind eq 'bad_result')     { nonsense($more) }
    }
    return $bad;
}

# Says what is no frame, and stays in its task.
sub nonsense {
    my ($how) = @_;
    flush_all();
    my $no_result = 'no result';
    my $length = $how eq 'oversized' ? 0xFFFFFFFF : length $no_result;
    syswrite $socket, pack('VCCv', $length, $SENT{done}, 0, 0) . $no_result;
    pause(1e9);
}

# Frames wait here until they are told; records wait for a common `done`.
sub frame {
    my ($kind, $payload, $flags) = @_;
    done() unless $kind eq 'result';
    $at{frames} .= pack('VCCv', length $payload, $SENT{$kind}, $flags // 0, 0) . $payload;
}

sub done {
    return unless @{ $at{records} };
    my ($user, $system, $child_user, $child_system) = times;
    my $usage = pack 'Q6', ($user + $child_user) * 1e9, ($system + $child_system) * 1e9, 0, 0, 0, 0;
    my $payload = join '', $usage, @{ $at{records} };
    $at{records} = [];
    $at{frames} .= pack('VCCv', length $payload, $SENT{done}, 0, 0) . $payload;
}

sub flush_all {
    done();
    tell_all($at{frames});
    $at{frames} = '';
}

sub tell_all {
    my ($left) = @_;
    while (length $left) {
        my $written = syswrite $socket, $left or refuse("socket: $!");
        substr($left, 0, $written) = '';
    }
}

sub shifted { $_[0] >> $_[1] }    # of unsigned numbers: `use integer` makes them signed

sub hash_of {
    use integer;
    my $hash = 0xcbf29ce484222325;
    $hash = ($hash ^ $_) * 0x100000001b3 for unpack 'C*', $_[0];
    return $hash;
}

sub mix {
    use integer;
    my ($z) = @_;
    $z = ($z ^ shifted($z, 30)) * 0xBF58476D1CE4E5B9;
    $z = ($z ^ shifted($z, 27)) * 0x94D049BB133111EB;
    return $z ^ shifted($z, 31);
}

sub bits {
    use integer;
    my ($z, $gamma) = ($setup->{seed} + 0, 0x9E3779B97F4A7C15);
    $z = mix($z + $gamma * $_) for $_[0], $_[1] + 1, $_[2] + 1;
    return $z;
}

sub unit { (shifted(bits(@_), 11) + 0.5) / 2**53 }
