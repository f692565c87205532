#!/usr/bin/env perl
# An external arm in Perl, written from the docs of `poolscope::engine::external::protocol` alone: it forks its workers, each
# with one lane, and gives one task at a time to each. It knows tasks that sleep for as long as they were drawn, and others
# fail.
use strict;
use warnings;
use JSON::PP;
use POSIX ();
use Socket qw(AF_UNIX SOCK_STREAM PF_UNSPEC);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

my $json = JSON::PP->new->utf8->canonical;
my ($incoming, $end, $start) = ('', 0);
my (@tasks, @workers);
my %counts = map { $_ => 0 } qw(succeeded failed timed_out lost);

open my $poolscope, '+<&=', 3 or die "descriptor 3: $!";
tell_on($poolscope, { type => 'hello', version => 1, can => [] });
while (1) {
    my $ready = '';
    vec($ready, fileno $_, 1) = 1 for $poolscope, map { $_->{socket} } @workers;
    # Half of the silence that is allowed.
    my $found = select $ready, undef, undef, $start ? $start->{silence} / 2e9 : undef;
    tell_on($poolscope, { type => 'alive' }) unless $found;
    for my $worker (@workers) { hear($worker) if vec $ready, fileno $worker->{socket}, 1 }
    listen_to_poolscope() if vec $ready, 3, 1;
    for my $worker (grep { !$_->{task} } @workers) {
        $worker->{task} = shift @tasks or last;
        tell_on($worker->{socket}, $worker->{task});
    }
    finish() if $end && !@tasks && !grep { $_->{task} } @workers;
}

sub now { unpack 'Q', pack 'Q', clock_gettime(CLOCK_MONOTONIC) * 1e9 }

sub tell_on {
    my ($socket, $what) = @_;
    my $line = $json->encode($what) . "\n";
    while (length $line) {
        my $written = syswrite $socket, $line or die "socket: $!";
        substr($line, 0, $written) = '';
    }
}

sub listen_to_poolscope {
    sysread $poolscope, $incoming, 1 << 16, length $incoming or die 'Poolscope is gone';
    while ($incoming =~ s/^(.*)\n//) {
        my $line = $json->decode($1);
        if ($line->{type} eq 'start') {
            die "version $line->{version}" unless $line->{version} == 1;
            $start = $line;
            begin($_) for 0 .. $line->{workers} - 1;
            tell_on($poolscope, { type => 'want', tasks => 8 * $line->{workers} });
        } elsif ($line->{type} eq 'tasks') {
            for my $n (0 .. $line->{count} - 1) {
                push @tasks, { index => $line->{first} + $n, service => $line->{service} && $line->{service}[$n] };
            }
        } elsif ($line->{type} eq 'end') {
            $end = 1;
        } elsif ($line->{type} eq 'stop') {
            kill TERM => $_->{pid} for @workers;
            exit 0;
        }
    }
}

sub begin {
    my ($number) = @_;
    socketpair my $mine, my $other, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die "socketpair: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) { close $mine; serve($other) }
    close $other;
    tell_on($poolscope, { type => 'worker_started', worker => $number, pid => $pid, lanes => [$number] });
    tell_on($poolscope, { type => 'worker_ready', worker => $number });
    $workers[$number] = { number => $number, pid => $pid, socket => $mine };
}

# What a worker does: a line for a task, a line for its outcome.
sub serve {
    my ($socket) = @_;
    close $poolscope;
    close $_->{socket} for @workers;
    while (defined(my $line = readline $socket)) {
        my $task = $json->decode($line);
        my $from = now();
        tell_on($socket, { at => $from });
        Time::HiRes::sleep($task->{service} / 1e9) if defined $task->{service};
        tell_on($socket, { start => $from, service => now() - $from });
    }
    POSIX::_exit(0);
}

sub hear {
    my ($worker) = @_;
    sysread $worker->{socket}, $worker->{said}, 1 << 16, length($worker->{said} //= '') or die 'a worker died';
    while ($worker->{said} =~ s/^(.*)\n//) {
        my ($said, $task, $lane) = ($json->decode($1), $worker->{task}, $worker->{number});
        if (defined $said->{at}) {
            tell_on($poolscope, { type => 'started', lane => $lane, task => $task->{index}, at => $said->{at} });
            next;
        }
        my ($from, $service) = @$said{qw(start service)};
        if (defined $task->{service}) {
            my $record = [$task->{index}, $from, $service, $task->{service}];
            tell_on($poolscope, { type => 'succeeded', lane => $lane, tasks => [$record] });
            $counts{succeeded}++;
        } else {
            my %failed = (task => $task->{index}, lane => $lane, start => $from, service => $service);
            tell_on($poolscope, { type => 'failed', %failed, message => 'no task that sleeps' });
            $counts{failed}++;
        }
        tell_on($poolscope, { type => 'want', tasks => 1 });
        $worker->{task} = undef;
    }
}

# Ends the workers, tells how each has ended, and leaves.
sub finish {
    for my $worker (@workers) {
        my (undef, undef, @before) = times;
        close $worker->{socket};
        waitpid $worker->{pid}, 0;
        my %how = $? & 127 ? (signal => $? & 127) : (code => $? >> 8);
        my (undef, undef, @after) = times;
        my ($user, $system) = map { int(($after[$_] - $before[$_]) * 1e9) } 0, 1;
        my %used = (user => $user, system => $system, expected => JSON::PP::true);
        tell_on($poolscope, { type => 'worker_exited', worker => $worker->{number}, %how, %used });
    }
    tell_on($poolscope, { type => 'counts', %counts });
    exit 0;
}
